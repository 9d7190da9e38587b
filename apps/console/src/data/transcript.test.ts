// The transcript is computed from events: previews grow and disappear, attempts end, rollbacks mark messages.

import { expect, test } from "@jest/globals";
import type { StreamedEvent } from "@dari/contract";
import { addEvent, emptyTranscript, type Transcript } from "./transcript.ts";

let lastNumber = 0;

function event(type: string, data: object, messageId = "msg_1", attemptId?: string): StreamedEvent {
  lastNumber += 1;
  const of = {
    session_id: "sess_1",
    message_id: messageId,
    ...(attemptId === undefined ? {} : { attempt_id: attemptId }),
  };
  const created_at = "2026-11-25T01:07:00.000Z";
  const record = { id: `evt_${lastNumber}`, sequence_number: lastNumber, type, created_at, data, ...of };
  return record as unknown as StreamedEvent;
}

function delta(text: string, offset: number, attemptId = "att_1"): StreamedEvent {
  const of = { session_id: "sess_1", message_id: "msg_1", attempt_id: attemptId };
  return { type: "assistant.text_delta", data: { text, offset }, ...of };
}

function after(events: readonly StreamedEvent[], start: Transcript = emptyTranscript): Transcript {
  return events.reduce(addEvent, start);
}

const asked = (id = "msg_1", text = "hi", metadata: object = {}) =>
  event("user.message", { parts: [{ type: "text", text }], metadata }, id);
const started = (id = "att_1") => event("attempt.started", { number: 1 }, "msg_1", id);

test("text grows as it arrives, and is replaced by the answer", () => {
  const running = after([asked(), event("message.status_changed", { status: "running" }), started()]);
  const halfway = after([delta("Hello, ", 0), delta("world", 7)], running);
  expect(halfway.turns).toMatchObject([{ status: "running", preview: "Hello, world", output: [] }]);
  const output = { parts: [{ type: "text", text: "Hello, world!" }] };
  const record = { status: "completed", parts: [{ type: "text", text: "hi" }], output, files_changed: [] };
  const done = after([event("message.completed", record)], halfway);
  expect(done.turns).toMatchObject([{ status: "completed", preview: "", output: output.parts, record }]);
});

test("an answer without text shows its notes, also before the message's last event", () => {
  const notes = ["the agent answered without text and changed no file", "api.example.com:443 failed: no address found"];
  const output = { parts: [], notes };
  const answered = after([asked(), started(), event("assistant.message_completed", { output })]);
  expect(answered.turns).toMatchObject([{ output: [], notes }]);
  const done = after([event("message.completed", { status: "completed", output, files_changed: [] })], answered);
  expect(done.turns).toMatchObject([{ status: "completed", notes }]);
});

test("a viewer who joins in the middle sees a mark for missed text", () => {
  const running = after([asked(), event("message.status_changed", { status: "running" }), started()]);
  expect(after([delta("world", 7), delta("!", 12)], running).turns[0]?.preview).toBe("… world!");
  const broken = after([delta("Hello, ", 0), delta("nice", 20), delta("ce one", 22)], running);
  expect(broken.turns[0]?.preview).toBe("Hello, … nice one");
});

test("an attempt that failed removes its text, and late pieces of it are dropped", () => {
  const error = { code: "agent_error", message: "no" };
  const retried = after([
    asked(),
    started(),
    delta("wrong", 0),
    event("attempt.ended", { outcome: "failed", error }, "msg_1", "att_1"),
    delta(" late", 5),
    started("att_2"),
    delta("stale", 5, "att_1"),
    delta("right", 0, "att_2"),
  ]);
  expect(retried.turns[0]?.preview).toBe("right");
  expect(retried.turns[0]?.attempts).toMatchObject([{ id: "att_1", outcome: "failed", error }, { id: "att_2" }]);
});

test("an event that arrives twice changes nothing", () => {
  const first = asked();
  const once = after([first]);
  expect(addEvent(once, first)).toBe(once);
});

test("a rollback marks what came after its message", () => {
  const asks = [asked("msg_1"), asked("msg_2"), asked("msg_3")];
  const { turns } = after([...asks, event("session.rolled_back", { snapshot_id: null }, "msg_1")]);
  expect(turns.map(({ messageId, isRolledBack }) => [messageId, isRolledBack])).toEqual([
    ["msg_1", false],
    ["msg_2", true],
    ["msg_3", true],
  ]);
});

test("a message that a running turn took is part of that turn, until it gets a turn of its own", () => {
  const later = [asked(), started(), asked("msg_2", "left")];
  const taken = after([...later, event("message.steered", { into: "msg_1" }, "msg_2", "att_1")]);
  expect(taken.turns).toMatchObject([
    { messageId: "msg_1", steps: [{ type: "message.steered", parts: [{ text: "left" }] }] },
    { messageId: "msg_2", steeredInto: "msg_1", steps: [] },
  ]);
  const own = after([event("attempt.started", { number: 1 }, "msg_2", "att_2")], taken);
  expect(own.turns[1]?.steeredInto).toBeUndefined();
});

test("a message that a session token sent names its end user", () => {
  const stamp = { session_token_id: "stok_1", end_user_id: "u1" };
  const sent = [asked("msg_1", "a", { ...stamp, end_user_name: "Ann" }), asked("msg_2", "b", stamp), asked("msg_3")];
  expect(after(sent).turns.map(({ endUser }) => endUser)).toEqual(["Ann", "u1", undefined]);
});

test("unknown types are ignored", () => {
  const before = after([asked()]);
  const { turns } = after([event("something.new", { a: 1 })], before);
  expect(turns).toEqual(before.turns);
});
