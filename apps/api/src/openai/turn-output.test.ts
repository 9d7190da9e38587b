// A turn's events and previews as output items and stream events.

import { limits, type Preview } from "@dari/domain";
import { expect, test } from "@jest/globals";
import type { ResponseEvent } from "./output-item.ts";
import { TurnOutput, type Answer } from "./turn-output.ts";

const answer = (text: string, ...paths: string[]): Answer => ({
  parts: [{ type: "text", text }, ...paths.map((path) => ({ type: "file" as const, path }))],
});
const requested = { call_id: "call_1", name: "search", kind: "mcp", server: "docs", arguments: { q: "Rome" } };
const completed = { call_id: "call_1", name: "search", result: { found: 1 }, is_error: false };
const container = "sess_1";

function preview(type: Preview["type"], data: Preview["data"]): Preview {
  return { type, messageId: "msg_1", attemptId: "att_1", data };
}

/** Returns what a client has after it has read the stream: the items, and the deltas of each. */
function replay(events: readonly ResponseEvent[]) {
  const items: Record<string, unknown>[] = [];
  const deltas: string[] = [];
  for (const event of events) {
    const index = event["output_index"] as number;
    if (event.type === "response.output_item.added") {
      expect(index).toBe(items.length);
      items.push(event["item"] as Record<string, unknown>);
      deltas.push("");
    } else if (event.type === "response.output_item.done") items[index] = event["item"] as Record<string, unknown>;
    else expect(items[index]?.["id"]).toBe(event["item_id"]);
    if (event.type.endsWith(".delta")) deltas[index] += String(event["delta"]);
  }
  return { items, deltas };
}

test("reasoning, a text before a call, the call and the answer are items in their order", () => {
  const output = new TurnOutput("resp_0abc");
  const events = [
    { type: "attempt.started", data: { number: 1 } },
    { type: "reasoning.completed", data: { text: "I should look." } },
    { type: "assistant.message", data: { text: "Let me look." } },
    { type: "tool.call_requested", data: requested },
    { type: "tool.call_completed", data: completed },
    { type: "attempt.ended", data: { outcome: "completed" } },
  ].flatMap((event) => output.take(event));
  events.push(...output.end(answer("It is there.", "/output/map.png"), container));
  expect(output.items).toMatchObject([
    { id: "rs_0abc0000", type: "reasoning", summary: [{ type: "summary_text", text: "I should look." }] },
    { id: "msg_0abc0000", type: "message", phase: "commentary", content: [{ text: "Let me look." }] },
    {
      id: "mcp_0abc0000",
      type: "mcp_call",
      name: "search",
      server_label: "docs",
      arguments: '{"q":"Rome"}',
      output: '{"found":1}',
      error: null,
      status: "completed",
    },
    {
      type: "message",
      role: "assistant",
      status: "completed",
      phase: "final_answer",
      content: [
        {
          type: "output_text",
          text: "It is there.",
          annotations: [{ type: "container_file_citation", container_id: container, file_id: "/output/map.png" }],
        },
      ],
    },
  ]);
  const { items, deltas } = replay(events);
  expect(items).toEqual(output.items);
  expect(deltas).toEqual(["I should look.", "Let me look.", '{"q":"Rome"}', "It is there."]);
});

test("previews open the items that the ledger then completes", () => {
  const output = new TurnOutput("resp_1");
  const text = (piece: string, offset: number, ordinal: number) =>
    output.preview(preview("assistant.text_delta", { text: piece, offset, ordinal }));
  const events = [
    ...output.take({ type: "attempt.started", data: { number: 1 } }),
    ...output.preview(preview("reasoning.delta", { ordinal: 1, text: "Hm" })),
    ...text("Let ", 0, 1),
    ...text("me", 4, 1),
    ...output.preview(preview("tool.arguments_delta", { call_id: "call_1", name: "search", text: '{"q":' })),
    // The next request writes before the events of the first one are stored.
    ...text("It ", 6, 2),
    ...output.take({ type: "reasoning.completed", data: { text: "Hmm." } }),
    ...output.take({ type: "assistant.message", data: { text: "Let me see." } }),
    ...output.take({ type: "tool.call_requested", data: requested }),
    ...output.take({ type: "tool.call_completed", data: { ...completed, is_error: true, result: "no such place" } }),
    ...text("is", 9, 2),
    ...output.end(answer("It is so."), container),
  ];
  const { items, deltas } = replay(events);
  expect(items).toEqual(output.items);
  expect(deltas).toEqual(["Hmm.", "Let me see.", '{"q":"Rome"}', "It is so."]);
  expect(items[2]).toMatchObject({ error: "no such place", output: null, status: "failed" });
});

test("a text that is streamed before the ledger's events has its place and its id in the ledger's order", () => {
  const output = new TurnOutput("resp_1");
  output.preview(preview("assistant.text_delta", { text: "do", offset: 0 }));
  const ledger = [
    { type: "tool.call_requested", data: requested },
    { type: "tool.call_completed", data: completed },
  ];
  for (const event of ledger) output.take(event);
  output.end(answer("done"), container);
  const later = new TurnOutput("resp_1");
  for (const event of ledger) later.take(event);
  later.end(answer("done"), container);
  expect(output.items).toEqual(later.items);
});

test("after a lost preview, the rest of the text comes with its event", () => {
  const output = new TurnOutput("resp_1");
  const text = (piece: string, offset: number) =>
    output.preview(preview("assistant.text_delta", { text: piece, offset }));
  const events = [...text("One ", 0), ...text("three ", 8), ...text("four", 14)];
  expect(events.filter(({ type }) => type.endsWith(".delta"))).toHaveLength(1);
  events.push(...output.end(answer("One two three four"), container));
  expect(replay(events)).toEqual({ items: output.items, deltas: ["One two three four"] });
});

test("a text that was streamed and is not the answer ends incomplete, and is not in the response", () => {
  const output = new TurnOutput("resp_1");
  const events = [
    ...output.preview(preview("assistant.text_delta", { text: "a draft", offset: 0 })),
    ...output.end(answer("the answer"), container),
  ];
  const { items, deltas } = replay(events);
  expect(items).toMatchObject([
    { status: "incomplete", content: [{ text: "a draft" }] },
    { status: "completed", content: [{ text: "the answer" }] },
  ]);
  expect(deltas).toEqual(["a draft", "the answer"]);
  expect(output.items).toEqual([items[1]]);
});

test("an attempt that is repeated leaves nothing in the response", () => {
  const output = new TurnOutput("resp_1");
  const events = [
    ...output.take({ type: "tool.call_requested", data: requested }),
    ...output.take({ type: "tool.call_completed", data: completed }),
    ...output.preview(preview("assistant.text_delta", { text: "Par", offset: 0 })),
    ...output.take({ type: "attempt.ended", data: { outcome: "retry" } }),
    ...output.take({ type: "attempt.started", data: { number: 2 } }),
    ...output.preview(preview("assistant.text_delta", { text: "Par", offset: 0 })),
    ...output.end(answer("Paris"), container),
  ];
  const { items } = replay(events);
  expect(items.map(({ status }) => status)).toEqual(["completed", "incomplete", "completed"]);
  expect(output.items).toEqual([items[2]]);
});

test("a call that waits for a person keeps its place, and a failed turn's open call is incomplete", () => {
  const waiting = new TurnOutput("resp_1");
  waiting.take({ type: "tool.call_requested", data: requested });
  waiting.take({ type: "attempt.ended", data: { outcome: "suspended" } });
  waiting.take({ type: "attempt.started", data: { number: 2 } });
  waiting.take({ type: "tool.call_completed", data: completed });
  waiting.end(answer("done"), container);
  expect(waiting.items).toMatchObject([{ type: "mcp_call", status: "completed" }, { type: "message" }]);
  const failed = new TurnOutput("resp_1");
  const events = [
    ...failed.take({ type: "tool.call_requested", data: requested }),
    ...failed.preview(preview("assistant.text_delta", { text: "Par", offset: 0 })),
    ...failed.end(null, container),
  ];
  expect(replay(events).items.map(({ status }) => status)).toEqual(["incomplete", "incomplete"]);
  expect(failed.items).toMatchObject([{ type: "mcp_call", status: "incomplete", output: null }]);
});

test("cut values keep what was streamed of them, and a subagent's texts are left out", () => {
  const output = new TurnOutput("resp_1");
  const cut = { ...requested, arguments: '{"q":"Ro', arguments_bytes: 99_000 };
  const events = [
    ...output.take({ type: "assistant.message", data: { text: "inner", parent_call_id: "call_0" } }),
    ...output.take({ type: "reasoning.completed", data: { text: "inner", parent_call_id: "call_0" } }),
    ...output.preview(preview("tool.arguments_delta", { call_id: "call_1", name: "search", text: '{"q":"Rome, the' })),
    ...output.take({ type: "tool.call_requested", data: cut }),
    ...output.take({ type: "tool.call_completed", data: completed }),
    ...output.end(answer(""), container),
  ];
  expect(replay(events).deltas).toEqual(['{"q":"Rome, the', ""]);
  expect(output.items).toMatchObject([{ arguments: '{"q":"Rome, the' }, { content: [{ text: "" }] }]);
});

test("after 8 MiB of events, only the answer follows, as in a response that is read later", () => {
  const output = new TurnOutput("resp_1");
  const text = "x".repeat(limits.pageBytes / 4);
  const events = Array.from({ length: 6 }, () => output.take({ type: "assistant.message", data: { text } })).flat();
  expect(output.preview(preview("assistant.text_delta", { text: "the", offset: 0 }))).toEqual([]);
  expect(output.take({ type: "tool.call_requested", data: requested })).toEqual([]);
  events.push(...output.end(answer("the answer"), container));
  expect(output.items).toHaveLength(4);
  expect(output.items.at(-1)).toMatchObject({ content: [{ text: "the answer" }] });
  expect(replay(events).items).toEqual(output.items);
});

test("after 8 MiB of previews, the rest of a text comes with its event", () => {
  const output = new TurnOutput("resp_1");
  const text = "x".repeat(limits.pageBytes / 4);
  const shown = Array.from({ length: 6 }, () => output.preview(preview("reasoning.delta", { ordinal: 1, text })));
  expect(shown.map((events) => events.length > 0)).toEqual([true, true, true, false, false, false]);
  const [rest] = output.take({ type: "reasoning.completed", data: { text: `${text.repeat(3)}yz` } });
  expect(rest).toMatchObject({ delta: "yz" });
});

test("a turn with many calls is shown in linear time", () => {
  const output = new TurnOutput("resp_1");
  const begun = performance.now();
  for (let number = 0; number < 30_000; number++) {
    output.take({ type: "tool.call_requested", data: { call_id: `call_${number}`, name: "f", arguments: {} } });
  }
  output.end(answer("done"), container);
  expect(output.items).toHaveLength(30_001);
  expect(output.items.at(-2)).toMatchObject({ id: "mcp_129999" });
  expect(performance.now() - begun).toBeLessThan(5_000);
});
