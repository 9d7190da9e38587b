// A message and what its turn shows, made from their events.

import { isLedgerEvent, isMessageEnd, type Event, type Message, type StreamItem } from "@dari/client";
import type { AskedInput, ConversationMessage, ShownPart, ShownText, ToolCall } from "./shown.ts";

type UserMessage = Extract<Event, { type: "user.message" }>;
/** `ordinal`: the model request that writes a draft. A part is replaced when it changes. */
type TurnPart = ShownPart & { readonly attemptId?: string | undefined; readonly ordinal?: number | undefined };

/** Changes in place, so that an event costs the same however long the turn is. */
export interface Turn {
  head: Omit<ConversationMessage, "parts">;
  /** What has happened, in order. */
  parts: TurnPart[];
  /** What the agent still writes. It is shown after `parts`. */
  drafts: TurnPart[];
  /** Where the running calls are in `parts`, by their id. Two can have the same id. */
  running: Map<string, number[]>;
  /** How much of the attempt's text was seen, in UTF-16 units. */
  seenText: number;
  /** Whether it was rolled back, or became part of another message. */
  isLeftOut: boolean;
  /** What is shown of it, unless it has changed since. */
  shown: ConversationMessage | undefined;
}

/** After these, the next attempt starts from the beginning. */
const repeated: readonly string[] = ["retry", "lost", "released"];

export function beginTurn({ message_id: id, data: { parts: input, metadata } }: UserMessage): Turn {
  const head = { id, status: "queued" as const, input, metadata };
  return { head, parts: [], drafts: [], running: new Map(), seenText: 0, isLeftOut: false, shown: undefined };
}

/** Returns the same object until the turn changes. */
export function showTurn(turn: Turn): ConversationMessage {
  turn.shown ??= { ...turn.head, parts: [...turn.parts, ...turn.drafts] };
  return turn.shown;
}

export function leaveOut(turn: Turn): void {
  turn.isLeftOut = true;
  setParts(turn, []);
  turn.drafts = [];
}

export function applyToTurn(turn: Turn, item: StreamItem): void {
  turn.shown = undefined;
  if (!isLedgerEvent(item)) return applyPreview(turn, item);
  if (isMessageEnd(item)) return endTurn(turn, item.data);
  if (item.type === "message.status_changed") turn.head = { ...turn.head, status: item.data.status };
  else if (item.type === "attempt.started") Object.assign(turn, { drafts: [], seenText: 0 });
  else if (item.type === "attempt.ended") endAttempt(turn, item.data.outcome, item.attempt_id);
  else applyActivity(turn, item);
}

function endAttempt(turn: Turn, outcome: string, attemptId: string | undefined): void {
  if (outcome === "completed") return;
  turn.drafts = [];
  if (!repeated.includes(outcome)) return;
  setParts(
    turn,
    // At a limit, the platform has asked: the question stays.
    turn.parts.filter((part) => part.attemptId !== attemptId || part.type === "input"),
  );
}

/** Adds what the agent does and asks. */
function applyActivity(turn: Turn, event: Event): void {
  const { attempt_id: attemptId } = event;
  if (event.type === "reasoning.completed" || event.type === "assistant.message") {
    // A subagent's texts are not part of the answer.
    if (event.data.parent_call_id !== undefined) return;
    return addText(turn, event.type === "assistant.message" ? "text" : "reasoning", event.data.text, attemptId);
  }
  if (event.type === "tool.call_requested") {
    const { call_id: callId, name, server, arguments: given } = event.data;
    turn.drafts = turn.drafts.filter((part) => !isCall(part, callId));
    return add(turn, { type: "tool_call", callId, name, server, arguments: given, attemptId, state: "running" });
  }
  if (event.type === "tool.call_completed") {
    const { call_id: callId, result, is_error: isError } = event.data;
    return replace(turn, turn.running.get(callId)?.pop(), { state: isError ? "failed" : "completed", result });
  }
  if (event.type === "input.requested") {
    const { key, prompt, schema, expires_at: expiresAt } = event.data;
    const asked = { key, prompt, schema, expiresAt, messageId: turn.head.id, attemptId };
    return add(turn, { type: "input", ...asked, state: "waiting" });
  }
  if (event.type === "input.submitted") {
    const { key, value } = event.data;
    const index = turn.parts.findLastIndex((part) => part.type === "input" && part.key === key);
    return replace(turn, index, { state: "answered", value });
  }
  if (event.type === "agent.event")
    add(turn, { type: "data", name: event.data.name, data: event.data.data, attemptId });
}

function applyPreview(turn: Turn, item: Exclude<StreamItem, Event>): void {
  if (item.type === "assistant.text_delta") {
    const { text, offset, ordinal } = item.data;
    const fresh = text.slice(Math.max(0, turn.seenText - offset));
    if (fresh === "") return;
    const gap = offset > turn.seenText ? "…" : "";
    writeOn(turn, { type: "text", text: gap + fresh, ordinal });
    turn.seenText = offset + text.length;
  } else if (item.type === "reasoning.delta") {
    writeOn(turn, { type: "reasoning", ...item.data });
  } else if (item.type === "tool.arguments_delta") {
    const { call_id: callId, name } = item.data;
    const isRunning = (turn.running.get(callId)?.length ?? 0) > 0;
    if (isRunning || turn.drafts.some((part) => isCall(part, callId))) return;
    turn.drafts.push({ type: "tool_call", callId, name, state: "writing" });
  }
}

/** Adds text to the draft that is last, or begins one. */
function writeOn(
  { drafts }: Turn,
  { type, text, ordinal }: Omit<ShownText, "isComplete"> & { ordinal?: number | undefined },
): void {
  const last = drafts.at(-1);
  const isSame = last?.type === type && last.ordinal === ordinal;
  if (isSame) drafts.pop();
  drafts.push({ type, text: isSame ? last.text + text : text, isComplete: false, ordinal });
}

/** Adds a text in the place of its draft, which is the oldest one. */
function addText(turn: Turn, type: ShownText["type"], text: string, attemptId: string | undefined): void {
  const index = turn.drafts.findIndex((part) => part.type === type);
  if (index !== -1) turn.drafts.splice(index, 1);
  add(turn, { type, text, isComplete: true, attemptId });
}

function add({ parts, running }: Turn, part: TurnPart): void {
  const index = parts.push(part) - 1;
  if (part.type !== "tool_call" || part.state !== "running") return;
  const indexes = running.get(part.callId);
  if (indexes === undefined) running.set(part.callId, [index]);
  else indexes.push(index);
}

function setParts(turn: Turn, parts: readonly TurnPart[]): void {
  turn.parts = [];
  turn.running = new Map();
  for (const part of parts) add(turn, part);
}

function replace(turn: Turn, index: number | undefined, fields: Partial<ToolCall> | Partial<AskedInput>): void {
  const part = turn.parts[index ?? -1];
  if (part !== undefined) turn.parts[index!] = { ...part, ...fields } as TurnPart;
}

function isCall(part: ShownPart, callId: string): boolean {
  return part.type === "tool_call" && part.callId === callId;
}

/** Leaves out a message that was rolled back, and one that became part of another message. */
function endTurn(turn: Turn, { status, output, merged_into, delivered_in, rolled_back }: Message): void {
  if (merged_into !== undefined || rolled_back === true) return leaveOut(turn);
  turn.head = { ...turn.head, status, deliveredIn: delivered_in };
  turn.drafts = [];
  const known = turn.parts.map((part): TurnPart => {
    if (part.type === "tool_call" && part.state === "running") return { ...part, state: "failed" };
    return part.type === "input" && part.state === "waiting" ? { ...part, state: "closed" } : part;
  });
  if (delivered_in !== undefined) return setParts(turn, known);
  const answer = (output?.parts ?? []).flatMap((part): ShownPart[] => {
    if (part.type === "file") return [{ type: "file", path: part.path }];
    return part.type === "text" && part.text !== "" ? [{ type: "text", text: part.text, isComplete: true }] : [];
  });
  turn.head = { ...turn.head, error: output?.error };
  setParts(turn, [...known, ...answer]);
}
