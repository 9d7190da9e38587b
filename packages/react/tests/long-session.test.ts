// Long sessions load in a time that grows with their number of events, not with its square.

import { expect, test } from "@jest/globals";
import type { StreamItem } from "@dari/client";
import { Conversation } from "../src/conversation.ts";

const head = { id: "evt_1", session_id: "sess_1", created_at: "", attempt_id: "att_1" };
const textOf = (text: string) => ({ parts: [{ type: "text", text }] });
const event = (sequence_number: number, message_id: string, type: string, data: object) =>
  ({ ...head, sequence_number, message_id, type, data }) as unknown as StreamItem;

/** Returns the processor time of loading events, in milliseconds, and how many messages and parts are shown. */
function load(events: readonly StreamItem[]): { readonly ms: number; readonly shown: readonly [number, number] } {
  const begunAt = process.cpuUsage();
  const conversation = new Conversation();
  for (const one of events) conversation.apply(one);
  const messages = conversation.listMessages();
  const { user, system } = process.cpuUsage(begunAt);
  return { ms: (user + system) / 1_000, shown: [messages.length, messages.flatMap(({ parts }) => parts).length] };
}

test("a session of 40,000 messages loads within two seconds", () => {
  const events = Array.from({ length: 40_000 }, (_, index) => [
    event(2 * index + 1, `msg_${index}`, "user.message", { ...textOf("hello"), metadata: {} }),
    event(2 * index + 2, `msg_${index}`, "message.completed", { status: "completed", output: textOf("hi") }),
  ]).flat();
  const { ms, shown } = load(events);
  expect(shown).toEqual([40_000, 40_000]);
  expect(ms).toBeLessThan(2_000);
});

test("a turn of 40,000 tool calls loads within two seconds", () => {
  const calls = Array.from({ length: 40_000 }, (_, index) => [
    event(2 * index + 2, "msg_1", "tool.call_requested", { call_id: `c${index}`, name: "lookup", arguments: {} }),
    event(2 * index + 3, "msg_1", "tool.call_completed", { call_id: `c${index}`, result: 1, is_error: false }),
  ]).flat();
  const { ms, shown } = load([event(1, "msg_1", "user.message", { ...textOf("hello"), metadata: {} }), ...calls]);
  expect(shown).toEqual([1, 40_000]);
  expect(ms).toBeLessThan(2_000);
});
