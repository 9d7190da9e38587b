// The sequence numbers of a response's stream, and its first and last events.

import type { EventRecord, MessageRecord } from "@dari/contract";
import type { StreamItem } from "@dari/control/outbound";
import { expect, test } from "@jest/globals";
import { createResponseStream } from "./response-stream.ts";

const messageId = "msg_01jx5m0k8c3f7q2v9t4w6y8z1a";
const context = {
  session: { id: "sess_1", agent_id: "agt_1", version_id: "ver_1" },
  background: false,
  previousResponseId: null,
};
const created_at = "2026-11-25T01:07:00.000Z";

function event(sequence_number: number, type: string, data: object): StreamItem {
  const record = { id: "evt_1", sequence_number, type, session_id: "sess_1", message_id: messageId, created_at, data };
  return { kind: "event", event: record as unknown as EventRecord };
}

function delta(text: string, offset: number): StreamItem {
  const of = { messageId, attemptId: "att_1" };
  return {
    kind: "preview",
    sessionId: "sess_1",
    preview: { type: "assistant.text_delta", ...of, data: { text, offset } },
  };
}

function end(sequence_number: number, fields: Partial<MessageRecord>): StreamItem {
  const record = { id: messageId, output: null, completed_at: created_at, ...fields };
  return event(sequence_number, `message.${fields.status}`, record);
}

interface Shown {
  readonly type: string;
  readonly sequence_number: number;
  readonly response?: Record<string, unknown>;
  readonly delta?: string;
}

function read(items: readonly StreamItem[], after?: number): Shown[] {
  const { render } = createResponseStream({ id: messageId, created_at }, context, after);
  const text = items.map(render).join("");
  const shown = [...text.matchAll(/^event: (.*)\ndata: (.*)\n\n/gm)].map(([, type, data]) => {
    const parsed = JSON.parse(data!) as Shown;
    expect(parsed.type).toBe(type);
    return parsed;
  });
  const numbers = shown.map(({ sequence_number: number }) => number);
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  return shown;
}

const ledger = [
  event(7, "user.message", { parts: [], metadata: { user: "ann", max_output_tokens: 50 } }),
  event(9, "attempt.started", { number: 1 }),
];
const done = end(14, {
  status: "completed",
  output: { parts: [{ type: "text", text: "Hello" }], usage: { input_tokens: 3, output_tokens: 2 } },
});

test("a stream begins with the accepted response and ends with the finished one", () => {
  const shown = read([...ledger, delta("He", 0), delta("llo", 2), done]);
  expect(shown.map(({ type }) => type.replace("response.", ""))).toEqual([
    "created",
    "in_progress",
    "output_item.added",
    "content_part.added",
    "output_text.delta",
    "output_text.delta",
    "output_text.done",
    "content_part.done",
    "output_item.done",
    "completed",
  ]);
  expect(shown[0]).toMatchObject({ sequence_number: 0, response: { status: "queued", output: [], user: "ann" } });
  expect(shown[1]?.response).toMatchObject({ status: "in_progress", max_output_tokens: 50, background: false });
  expect(shown.at(-1)?.response).toMatchObject({
    id: "resp_01jx5m0k8c3f7q2v9t4w6y8z1a",
    status: "completed",
    model: "agt_1@ver_1",
    conversation: { id: "conv_1" },
    output: [{ content: [{ text: "Hello" }] }],
    usage: { input_tokens: 3, output_tokens: 2, total_tokens: 5 },
  });
});

test("events of the ledger have the same numbers in every stream, and a stream continues after any number", () => {
  const live = read([...ledger, delta("He", 0), delta("llo", 2), done]);
  const numbersOf = (shown: readonly Shown[], type: string) =>
    shown.flatMap((each) => (each.type === type ? [each.sequence_number] : []));
  const later = read([...ledger, done]);
  for (const type of ["response.created", "response.in_progress"]) {
    expect(numbersOf(later, type)).toEqual(numbersOf(live, type));
  }
  expect(later.map(({ delta: piece }) => piece ?? "").join("")).toBe("Hello");
  for (const { sequence_number: after } of live) {
    const rest = read([...ledger, delta("llo", 2), done], after);
    expect(rest.every(({ sequence_number: number }) => number > after)).toBe(true);
    if (after < live.at(-1)!.sequence_number) expect(rest.at(-1)?.type).toBe("response.completed");
  }
});

test("failed and cancelled turns say so", () => {
  const failure = { code: "timeout" as const, message: "too slow" };
  const failed = read([...ledger, end(12, { status: "failed", output: { parts: [], error: failure } })]).at(-1);
  expect([failed?.type, failed?.response]).toMatchObject([
    "response.failed",
    { status: "failed", error: { code: "server_error", message: "timeout: too slow" } },
  ]);
  const cancelled = read([...ledger, end(12, { status: "cancelled" })]).at(-1);
  expect([cancelled?.type, cancelled?.response]).toMatchObject(["response.incomplete", { status: "cancelled" }]);
});

test("a message that another turn takes over ends with that turn", () => {
  const target = "msg_01jx5m0k8c3f7q2v9t4w6y8z1b";
  const merged = end(8, { status: "completed", merged_into: target });
  const shown = read([ledger[0]!, merged, end(20, { id: target, status: "completed", output: { parts: [] } })]);
  expect(shown.map(({ type }) => type).filter((type) => /created|completed/.test(type))).toEqual([
    "response.created",
    "response.completed",
  ]);
  expect(shown.at(-1)?.response).toMatchObject({ id: "resp_01jx5m0k8c3f7q2v9t4w6y8z1a", status: "completed" });
});

test("a stream without its last event ends with an error that names the response", () => {
  const stream = createResponseStream({ id: messageId, created_at }, context);
  for (const item of ledger) stream.render(item);
  const [, data] = /^event: error\ndata: (.*)\n\n$/.exec(stream.interrupt()) ?? [];
  expect(JSON.parse(data!)).toMatchObject({
    type: "error",
    sequence_number: 2_000_001,
    code: "stream_interrupted",
    message: expect.stringContaining("resp_01jx5m0k8c3f7q2v9t4w6y8z1a"),
    param: null,
  });
  stream.render(done);
  expect(stream.interrupt()).toBe("");
});
