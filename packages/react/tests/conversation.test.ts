// What a page shows of a session's events.

import { describe, expect, test } from "@jest/globals";
import type { StreamItem } from "@dari/client";
import { Conversation } from "../src/conversation.ts";
import type { ShownPart } from "../src/shown.ts";

let lastNumber = 0;
/** An event of the ledger. `of`: its message. */
function event(type: string, data: object = {}, of = "msg_1", attempt = "att_1"): StreamItem {
  const head = { id: "evt_1", session_id: "sess_1", created_at: "", message_id: of, attempt_id: attempt };
  return { ...head, sequence_number: (lastNumber += 1), type, data } as unknown as StreamItem;
}

function preview(type: string, data: object): StreamItem {
  return { session_id: "sess_1", message_id: "msg_1", attempt_id: "att_1", type, data } as unknown as StreamItem;
}

const said = (text: string, of = "msg_1") =>
  event("user.message", { parts: [{ type: "text", text }], metadata: { end_user_id: "u1" } }, of);
const delta = (text: string, offset: number, ordinal?: number) =>
  preview("assistant.text_delta", { text, offset, ...(ordinal === undefined ? {} : { ordinal }) });
const call = (id: string) =>
  event("tool.call_requested", { call_id: id, name: "lookup", kind: "function", arguments: {} });
const returned = (id: string, isError = false) =>
  event("tool.call_completed", { call_id: id, name: "lookup", result: "found", is_error: isError });
const asked = (key: string) =>
  event("input.requested", { key, schema: { type: "boolean" }, prompt: "May I?", expires_at: "2026-11-30T00:00:00Z" });
const ended = (outcome: string, attempt = "att_1") => event("attempt.ended", { outcome }, "msg_1", attempt);
function end(status: "completed" | "failed" | "cancelled", text: string, more: object = {}, of = "msg_1"): StreamItem {
  const output = { parts: text === "" ? [] : [{ type: "text", text }] };
  return event(`message.${status}`, { id: of, status, output, ...more }, of);
}

/** Adds to the conversation, and returns it. */
function apply(items: readonly StreamItem[], conversation = new Conversation()): Conversation {
  for (const item of items) conversation.apply(item);
  return conversation;
}
const messageOf = (conversation: Conversation, id = "msg_1") =>
  conversation.listMessages().find((message) => message.id === id);
const partsOf = (conversation: Conversation, id?: string) => messageOf(conversation, id)?.parts ?? [];
/** The parts in short. A text that is still written ends in `_`. */
const shown = (parts: readonly ShownPart[]) =>
  parts.map((part) => {
    if (part.type === "text" || part.type === "reasoning") return part.text + (part.isComplete ? "" : "_");
    if (part.type === "tool_call") return `${part.callId} ${part.state}`;
    return part.type === "input" ? `${part.key} ${part.state}` : part.type;
  });

describe("a turn", () => {
  test("shows texts, reasoning, calls and the answer in their order", () => {
    const turn = [
      said("hello"),
      event("attempt.started", { number: 1 }),
      event("reasoning.completed", { text: "thinking" }),
      event("assistant.message", { text: "Let me look." }),
      call("c1"),
      returned("c1"),
      event("agent.event", { name: "half", data: 1 }),
      ended("completed"),
      end("completed", "Done."),
    ];
    const conversation = apply(turn);
    expect(shown(partsOf(conversation))).toEqual(["thinking", "Let me look.", "c1 completed", "data", "Done."]);
    expect(messageOf(conversation)).toMatchObject({
      status: "completed",
      input: [{ text: "hello" }],
      metadata: { end_user_id: "u1" },
    });
    const before = conversation.listMessages();
    const after = apply([...turn, said("next", "msg_2")], conversation).listMessages();
    expect([after.length, after[0] === before[0], before.length]).toEqual([2, true, 1]);
  });

  test("shows what is written, with what was missed of it, until its event comes", () => {
    const begun = apply([said("hello"), event("attempt.started", { number: 1 }), delta("Let me ", 0, 1)]);
    expect(shown(partsOf(begun))).toEqual(["Let me _"]);
    // A stream that is opened again can send a piece again, and miss another one.
    const more = apply([delta("Let me ", 0, 1), delta("me look", 4, 1), delta("here", 20, 1)], begun);
    expect(shown(partsOf(more))).toEqual(["Let me look…here_"]);
    const writing = preview("tool.arguments_delta", { call_id: "c1", name: "lookup", text: "{" });
    const next = apply([writing, writing, delta("It is", 24, 2)], more);
    expect(shown(partsOf(next))).toEqual(["Let me look…here_", "c1 writing", "It is_"]);
    const known = apply([event("assistant.message", { text: "Let me look over here" }), call("c1")], next);
    expect(shown(partsOf(known))).toEqual(["Let me look over here", "c1 running", "It is_"]);
    const over = apply([returned("c1", true), ended("completed"), end("completed", "It is done.")], known);
    expect(shown(partsOf(over))).toEqual(["Let me look over here", "c1 failed", "It is done."]);
  });

  test("drops an attempt that is repeated, and keeps what came before a question", () => {
    const first = apply([
      said("pay"),
      event("attempt.started"),
      delta("So", 0),
      call("c1"),
      asked("pay"),
      ended("suspended"),
    ]);
    expect(shown(partsOf(first))).toEqual(["c1 running", "pay waiting"]);
    const answered = apply([event("input.submitted", { key: "pay", value: true })], first);
    const again = [
      event("attempt.started", {}, "msg_1", "att_2"),
      event("reasoning.completed", { text: "x" }, "msg_1", "att_2"),
    ];
    const lost = apply([...again, delta("Pai", 0), ended("lost", "att_2")], answered);
    expect(shown(partsOf(lost))).toEqual(["c1 running", "pay answered"]);
    expect(partsOf(lost)[1]).toMatchObject({ value: true, messageId: "msg_1" });
    const over = apply(
      [event("attempt.started", {}, "msg_1", "att_3"), delta("Paid", 0), end("completed", "Paid.")],
      lost,
    );
    expect(shown(partsOf(over))).toEqual(["c1 failed", "pay answered", "Paid."]);
  });

  test("that reaches a limit forgets its attempt, and keeps the question", () => {
    const turn = [said("go"), call("c1"), returned("c1"), asked("dari:budget-1"), ended("released")];
    expect(shown(partsOf(apply(turn)))).toEqual(["dari:budget-1 waiting"]);
  });

  test("that fails or is cancelled says why, and closes its question", () => {
    const waiting = [said("pay"), asked("pay"), ended("suspended")];
    const error = { code: "input_expired", message: "nobody answered" };
    const failed = apply([...waiting, end("failed", "", { output: { parts: [], error } })]);
    expect([shown(partsOf(failed)), messageOf(failed)?.error]).toEqual([["pay closed"], error]);
    const cancelled = apply([said("two", "msg_2"), end("cancelled", "", { output: null }, "msg_2")], failed);
    expect(messageOf(cancelled, "msg_2")).toMatchObject({ status: "cancelled", parts: [], error: undefined });
  });

  test("leaves out what a subagent says", () => {
    const turn = [said("hello"), event("assistant.message", { text: "inner", parent_call_id: "c1" })];
    expect(partsOf(apply(turn))).toEqual([]);
  });
});

describe("a conversation", () => {
  test("leaves out messages that were rolled back or merged into another one", () => {
    const texts = (conversation: Conversation) => conversation.listMessages().map(({ id }) => id);
    const after = (next: () => StreamItem) => {
      const three = apply(["msg_1", "msg_2", "msg_3"].map((id) => said("x", id)));
      return apply([next()], three);
    };
    expect(texts(after(() => event("session.rolled_back", { snapshot_id: null }, "msg_1")))).toEqual(["msg_1"]);
    expect(texts(after(() => end("completed", "", { merged_into: "msg_3" }, "msg_2")))).toEqual(["msg_1", "msg_3"]);
    expect(texts(after(() => end("cancelled", "", { rolled_back: true }, "msg_3")))).toEqual(["msg_1", "msg_2"]);
    const steered = after(() => end("completed", "the answer", { delivered_in: "msg_1" }, "msg_2"));
    expect(messageOf(steered, "msg_2")).toMatchObject({ deliveredIn: "msg_1", parts: [] });
  });

  test("ends with its session", () => {
    const active = apply([event("session.status_changed", { status: "active" })]);
    expect(active.isEnded).toBe(false);
    expect(apply([event("session.status_changed", { status: "completed" })], active).isEnded).toBe(true);
  });
});
