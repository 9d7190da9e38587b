// What an agent did is computed from events: the same list after a reload, live, and after a reconnect at any event.

import { describe, expect, test } from "@jest/globals";
import type { StreamedEvent } from "@dari/contract";
import { argumentLine, failureLine, tokensText } from "./activity-words.ts";
import { countCalls, depthMax, listActivity, type Item } from "./activity.ts";
import { isPicture, storedParts } from "./stored-values.ts";
import { addEvent, emptyTranscript, type Transcript } from "./transcript.ts";

type Sent = readonly [type: string, data: object, attempt?: 1 | 2 | 3];

/** Numbers the events of one message, from the first one that clients see. */
function ledger(sent: readonly Sent[]): readonly StreamedEvent[] {
  return sent.map(([type, data, attempt], index) => {
    const of = attempt === undefined ? {} : { attempt_id: `att_${attempt}` };
    const head = { id: `evt_${index + 1}`, sequence_number: index + 1, session_id: "sess_1", message_id: "msg_1" };
    return { ...head, ...of, type, created_at: "2026-11-29T12:00:00.000Z", data } as unknown as StreamedEvent;
  });
}

function delta(text: string, offset: number, attempt: 1 | 2 | 3): StreamedEvent {
  const of = { session_id: "sess_1", message_id: "msg_1", attempt_id: `att_${attempt}` };
  return { type: "assistant.text_delta", data: { text, offset }, ...of };
}

function preview(type: "reasoning.delta" | "tool.arguments_delta", data: object): StreamedEvent {
  const of = { session_id: "sess_1", message_id: "msg_1", attempt_id: "att_2" };
  return { type, data, ...of } as unknown as StreamedEvent;
}

const thinks = (text: string) => preview("reasoning.delta", { ordinal: 1, text });
const writes = (call_id: string, text: string) => preview("tool.arguments_delta", { call_id, name: "look", text });

const after = (events: readonly StreamedEvent[], start: Transcript = emptyTranscript) => events.reduce(addEvent, start);

function itemsAfter(events: readonly StreamedEvent[]): readonly Item[] {
  return after(events).turns.flatMap((turn) => listActivity(turn));
}

/** Shows an item as a line, with what is inside it. */
function show(item: Item): unknown {
  if (item.kind === "call") {
    const { callId, state, result } = item;
    const line = `${callId} ${state}${result === undefined ? "" : ` ${JSON.stringify(result)}`}`;
    return item.items.length === 0 ? line : [line, ...item.items.map(show)];
  }
  if (item.kind === "attempt") return [`attempt ${item.name} ${item.outcome}`, ...item.items.map(show)];
  if (item.kind === "request") return `request ${item.data.ordinal} ${item.state}`;
  if (item.kind === "plan") return `plan of ${item.todos.length}${item.isLatest ? ", latest" : ""}`;
  return item.kind === "subagent" ? `${item.name} ${item.state}` : item.event.type;
}

const asked: Sent = ["user.message", { parts: [], metadata: {} }];
const call = (callId: string, attempt: 1 | 2 | 3, more: object = {}): Sent => [
  "tool.call_requested",
  { call_id: callId, name: "look", kind: "function", arguments: { q: callId }, ...more },
  attempt,
];
const result = (callId: string, attempt: 1 | 2 | 3, more: object = {}): Sent => [
  "tool.call_completed",
  { call_id: callId, name: "look", result: callId, is_error: false, duration_ms: 5, ...more },
  attempt,
];
const started = (attempt: 1 | 2 | 3): Sent => ["attempt.started", { number: Math.min(attempt, 2) }, attempt];

/** A first attempt that failed, a second one that waited for an answer, and a third one that ended. */
const whole = ledger([
  asked,
  started(1),
  call("c0", 1),
  ["attempt.ended", { outcome: "retry", error: { code: "agent_error", message: "no" } }, 1],
  started(2),
  ["model.request_started", { ordinal: 1, model: "m" }, 2],
  ["model.request_completed", { ordinal: 1, model: "m", usage: { input_tokens: 3 }, duration_ms: 9 }, 2],
  ["reasoning.completed", { text: "Two files." }, 2],
  ["assistant.message", { text: "I look." }, 2],
  call("c1", 2),
  call("c2", 2),
  call("c3", 2, { name: "Task" }),
  ["subagent.started", { name: "reader", parent_call_id: "c3" }, 2],
  result("c2", 2, { is_error: true }),
  ["model.request_started", { ordinal: 2, agent: "reader", parent_call_id: "c3" }, 2],
  ["model.request_completed", { ordinal: 2, parent_call_id: "c3", duration_ms: 9, error: "overloaded" }, 2],
  ["reasoning.completed", { text: "One file.", parent_call_id: "c3" }, 2],
  call("c4", 2, { parent_call_id: "c3" }),
  result("c4", 2, { parent_call_id: "c3" }),
  ["subagent.completed", { name: "reader", parent_call_id: "c3", is_error: false }, 2],
  result("c3", 2),
  result("c1", 2),
  ["plan.updated", { items: [{ text: "one", status: "pending" }] }, 2],
  ["plan.updated", { items: [{ text: "one", status: "completed" }] }, 2],
  call("c5", 2),
  ["input.requested", { key: "ok", schema: {}, prompt: null, expires_at: "2026-11-30T12:00:00.000Z" }, 2],
  ["attempt.ended", { outcome: "suspended" }, 2],
  ["input.submitted", { key: "ok", value: true }],
  started(3),
  result("c5", 3),
  ["agent.handoff", { from_agent: "a", to_agent: "b" }, 3],
  ["assistant.message_completed", { output: { parts: [{ type: "text", text: "Done." }] } }, 3],
  ["attempt.ended", { outcome: "completed" }, 3],
]);

const shown = [
  ["attempt 1 retry", "c0 unfinished"],
  "request 1 done",
  "reasoning.completed",
  "assistant.message",
  'c1 done "c1"',
  'c2 failed "c2"',
  ['c3 done "c3"', "request 2 failed", "reasoning.completed", 'c4 done "c4"'],
  "plan of 1",
  "plan of 1, latest",
  'c5 done "c5"',
  "input.requested",
  "input.submitted",
  "agent.handoff",
];

describe("what an agent did", () => {
  test("is listed in the order of requests, with results in place, subagents inside and failed attempts marked", () => {
    const items = itemsAfter(whole);
    expect(items.map(show)).toEqual(shown);
    expect(countCalls(items)).toBe(6);
  });

  test("is the same after a reload, live with previews, and after a reconnect at any event", () => {
    const previews = [delta("I look.", 0, 2), delta(" Do", 7, 2), delta("ne.", 0, 3), thinks("Two"), writes("c1", "{")];
    for (let end = 0; end <= whole.length; end += 1) {
      const replayed = after(whole.slice(0, end));
      const live = whole.slice(0, end).flatMap((event) => [event, ...previews]);
      const { turns } = after(live);
      const withoutPreview = turns.map((turn) => ({ ...turn, preview: "", previewEnd: 0, drafts: [] }));
      expect({ ...replayed, turns: withoutPreview }).toEqual(replayed);
      // A stream that resumes after an older event sends the events after it once more.
      for (let from = 0; from <= end; from += 1) {
        expect(after(whole.slice(from), after(whole.slice(0, end)))).toEqual(after(whole));
      }
    }
  });

  test("that is not complete runs, waits, or was never finished", () => {
    const until = (type: string) => whole.slice(0, whole.findLastIndex((event) => event.type === type) + 1);
    const statesOf = (events: readonly StreamedEvent[]) =>
      itemsAfter(events).flatMap((item) => (item.kind === "call" && item.callId === "c5" ? [item.state] : []));
    expect(statesOf(until("input.requested"))).toEqual(["running"]);
    const suspended = whole.slice(
      0,
      whole.findIndex(({ type }) => type === "input.submitted"),
    );
    const status = { status: "waiting_for_input" };
    const waiting = { ...suspended.at(-1), type: "message.status_changed", data: status, sequence_number: 90 };
    expect(statesOf([...suspended, waiting as unknown as StreamedEvent])).toEqual(["waiting"]);
    expect(statesOf(suspended)).toEqual(["unfinished"]);
  });

  test("before a retry that repeats an id stays with its own attempt", () => {
    const again = ledger([
      asked,
      started(1),
      call("c", 1),
      ["attempt.ended", { outcome: "lost" }, 1],
      started(2),
      call("c", 2),
      result("c", 2),
      result("unknown", 2),
    ]);
    const items = [["attempt 1 lost", "c unfinished"], 'c done "c"', 'unknown done "unknown"'];
    expect(itemsAfter(again).map(show)).toEqual(items);
  });

  test("in a fork has no attempts, and is listed all the same", () => {
    const events = [asked, call("c", 1), result("c", 1), call("d", 1)].map(([type, data]): Sent => [type, data]);
    expect(itemsAfter(ledger(events)).map(show)).toEqual(['c done "c"', "d unfinished"]);
    const continued = itemsAfter(ledger([asked, call("c", 1), result("c", 2), call("c", 2)]));
    expect(continued.map(show)).toEqual(['c done "c"', "c unfinished"]);
  });

  test("deeply nested is shown to a fixed depth", () => {
    const chain = Array.from({ length: 500 }, (_, n): Sent => call(`c${n}`, 1, { parent_call_id: `c${n - 1}` }));
    const events = ledger([asked, started(1), ...chain]);
    const depthOf = (items: readonly Item[]): number =>
      Math.max(0, ...items.map((item) => 1 + ("items" in item ? depthOf(item.items) : 0)));
    const items = itemsAfter(events);
    expect([depthOf(items), countCalls(items)]).toEqual([depthMax, 500]);
  });

  test("of 10,000 events is computed in less than two seconds", () => {
    const calls = Array.from({ length: 5_000 }, (_, n) => [call(`c${n}`, 1), result(`c${n}`, 1)]).flat();
    const startedAt = performance.now();
    expect(countCalls(itemsAfter(ledger([asked, started(1), ...calls])))).toBe(5_000);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});

test("text that becomes an event of its own leaves the preview", () => {
  const events = ledger([asked, started(1), ["assistant.message", { text: "I look." }, 1]]);
  const previewOf = (pieces: readonly StreamedEvent[]) =>
    after([...events.slice(0, 2), ...pieces, ...events.slice(2)]).turns[0]?.preview;
  expect(previewOf([delta("I look.", 0, 1)])).toBe("");
  expect(previewOf([delta("I look.\n\nIt is", 0, 1)])).toBe("It is");
  expect(previewOf([delta("Another text", 0, 1)])).toBe("Another text");
  expect(after([...events.slice(0, 2), delta("I look.", 0, 1), events[2]!, delta(" So", 7, 1)]).turns[0]?.preview).toBe(
    " So",
  );
});

test("reasoning and arguments are shown while they are written, until their events come", () => {
  const draftsAfter = (events: readonly StreamedEvent[]) =>
    after(events).turns[0]?.drafts.map(({ kind, name, text }) => `${kind} ${name} ${text}`);
  const begun = ledger([asked, started(2)]);
  const written = [
    ...begun,
    thinks("Two "),
    thinks("files."),
    writes("c1", '{"q":'),
    writes("c2", "{"),
    writes("c1", "1}"),
  ];
  expect(draftsAfter(written)).toEqual(["reasoning  Two files.", 'call look {"q":1}', "call look {"]);
  const events = ledger([asked, started(2), ["reasoning.completed", { text: "Two files." }, 2], call("c1", 2)]);
  expect(draftsAfter([...written, ...events.slice(2), writes("c1", "late")])).toEqual(["call look {"]);
  const lost: Sent = ["attempt.ended", { outcome: "lost" }, 2];
  expect(draftsAfter([...written, ...ledger([asked, started(2), lost]).slice(2), thinks("late")])).toEqual([]);
});

describe("a call's arguments in one line", () => {
  test.each([
    [{ command: "ls -l\n  | wc", timeout: 9 }, "ls -l | wc"],
    [{ path: "/workspace/terms", pattern: "liability" }, "liability"],
    [{ todos: [1, 2], isLast: true }, "todos: 2 items, isLast: true"],
    [{ text: "" }, 'text: ""'],
    ["raw\ntext", "raw text"],
    [[1, 2], "[1,2]"],
    [{}, ""],
    [null, ""],
    [{ query: "x".repeat(500) }, `${"x".repeat(200)}…`],
  ])("%j", (given, line) => {
    expect(argumentLine(given)).toBe(line);
  });
});

test("a failed call is described by one line of its result", () => {
  const traceback = 'Traceback (most recent call last):\n  File "a.py", line 1\nFileNotFoundError: a.csv\n';
  const lines = [traceback, "no such file\nat once", { error: 1 }, null].map(failureLine);
  expect(lines).toEqual(["FileNotFoundError: a.csv", "no such file", '{"error":1}', ""]);
});

test("pictures and other stored parts of a result are found", () => {
  const picture = { type: "image", media_type: "image/png", size_bytes: 9, value_id: "val_1" };
  const archive = { type: "file", media_type: "application/zip", value_id: "val_2" };
  const dangerous = { ...picture, media_type: "text/html", value_id: "val_3" };
  const found = storedParts([{ type: "text", text: "x" }, picture, null, archive, dangerous, { value_id: "other" }]);
  expect(found.map(({ id, sizeBytes }) => [id, sizeBytes])).toEqual([
    ["val_1", 9],
    ["val_2", 0],
    ["val_3", 9],
  ]);
  expect(found.map(isPicture)).toEqual([true, false, false]);
  expect([storedParts(picture).length, storedParts("text").length]).toEqual([1, 0]);
});

test("tokens are counted as the SDK reports them", () => {
  expect(tokensText({ input_tokens: 1_240, cached_input_tokens: 1_000, output_tokens: 80 })).toBe(
    "1,240 tokens in, 1,000 of them cached, 80 out",
  );
  expect([tokensText({ input_tokens: 3, cached_input_tokens: 0 }), tokensText({})]).toEqual(["3 tokens in", ""]);
});
