// Events of a turn, for tests of what chat clients get.

import type { StreamItem } from "@dari/control/outbound";
import type { Preview } from "@dari/domain";

export const messageId = "msg_01jx5m0k8c3f7q2v9t4w6y8z1a";
export const answerId = messageId.replace("msg", "resp");
const sessionId = "sess_01jx5m0k8c3f7q2v9t4w6y8z1a";

export function event(type: string, data: object = {}): StreamItem {
  const head = { id: "evt_1", sequence_number: 1, session_id: sessionId, message_id: messageId, created_at: "" };
  return { kind: "event", event: { ...head, type, data } as never };
}

/** The same events, of another message. */
export function inTurnOf(other: string, items: readonly StreamItem[]): StreamItem[] {
  return items.map((item) =>
    item.kind === "event" ? { ...item, event: { ...item.event, message_id: other } as never } : item,
  );
}

export function preview(type: Preview["type"], data: Preview["data"]): StreamItem {
  return { kind: "preview", sessionId, preview: { type, messageId, attemptId: "att_1", data } };
}

export const accepted = event("user.message", { parts: [{ type: "text", text: "hello" }], metadata: {} });
export const started = event("attempt.started", { number: 1 });

export function ended(outcome: string): StreamItem {
  return event("attempt.ended", { outcome });
}

export function requested(callId: string): StreamItem {
  return event("tool.call_requested", { call_id: callId, name: "refund", kind: "function", arguments: { eur: 80 } });
}

export function returned(callId: string, result: unknown, isError = false): StreamItem {
  return event("tool.call_completed", { call_id: callId, name: "refund", result, is_error: isError });
}

export const decision = {
  type: "object",
  properties: { approved: { type: "boolean" }, reason: { type: "string" } },
  required: ["approved"],
};

/** A run that ends with a question. */
export function asking(key: string, schema: object = decision): StreamItem[] {
  const question = { key, schema, prompt: "Refund 80 EUR?", expires_at: "2026-11-30T00:00:00.000Z" };
  return [
    event("input.requested", question),
    ended("suspended"),
    event("message.status_changed", { status: "waiting_for_input" }),
  ];
}

/** The question for a higher limit, and the end of the attempt that reached it. */
export function askingAtLimit(key: string): StreamItem[] {
  const [question, , waiting] = asking(key);
  const { event: found } = question as { event: { data: object } };
  const budget = { limit: "requests", value: 3, used: 3, requested: 1, needed: 4 };
  return [event("input.requested", { ...found.data, type: "budget", budget }), ended("released"), waiting!];
}

export function answered(key: string, value: unknown): StreamItem[] {
  return [event("input.submitted", { key, value }), event("message.status_changed", { status: "queued" })];
}

export function completed(text: string, ...paths: string[]): StreamItem[] {
  const parts = [...(text === "" ? [] : [{ type: "text", text }]), ...paths.map((path) => ({ type: "file", path }))];
  const output = { parts, usage: { input_tokens: 7, output_tokens: 2, cost: 0.5 } };
  const record = { id: messageId, session_id: sessionId, status: "completed", output };
  return [ended("completed"), event("message.completed", record)];
}

export function failed(): StreamItem[] {
  const output = { parts: [], error: { code: "timeout", message: "the turn took too long" } };
  const record = { id: messageId, session_id: sessionId, status: "failed", output };
  return [ended("failed"), event("message.failed", record)];
}

export function cancelled(): StreamItem[] {
  const record = { id: messageId, session_id: sessionId, status: "cancelled", output: null };
  return [ended("cancelled"), event("message.cancelled", record)];
}
