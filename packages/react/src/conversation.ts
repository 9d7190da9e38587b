// A session's conversation, made from its events. The same events always make the same conversation. Pure.

import { isLedgerEvent, isMessageEnd, type Event, type Message, type MessagePart, type StreamItem } from "@dari/client";

/** A text of the agent, or its reasoning. While the agent writes it, it can have gaps, which are shown as `…`. */
export interface ShownText {
  readonly type: "text" | "reasoning";
  readonly text: string;
  readonly isComplete: boolean;
}

export interface ToolCall {
  readonly type: "tool_call";
  readonly callId: string;
  readonly name: string;
  /** The MCP server of the tool. */
  readonly server?: string | undefined;
  /** Undefined while the model writes them. */
  readonly arguments?: unknown;
  readonly state: "writing" | "running" | "completed" | "failed";
  readonly result?: unknown;
}

/** A question of the agent. Its message waits for the answer. */
export interface AskedInput {
  readonly type: "input";
  readonly messageId: string;
  readonly key: string;
  readonly prompt: string | null;
  /** JSON Schema of the answer. */
  readonly schema: Readonly<Record<string, unknown>>;
  readonly expiresAt: string;
  /** `closed`: the message ended without an answer. */
  readonly state: "waiting" | "answered" | "closed";
  readonly value?: unknown;
}

/** A file of the session that the answer names. */
export interface AnswerFile {
  readonly type: "file";
  readonly path: string;
}

/** What the agent emitted. */
export interface AgentData {
  readonly type: "data";
  readonly name: string;
  readonly data: unknown;
}

export type ShownPart = ShownText | ToolCall | AskedInput | AnswerFile | AgentData;

/** A message, and what its turn has shown. */
export interface ConversationMessage {
  readonly id: string;
  readonly status: Message["status"];
  /** What was sent. */
  readonly input: readonly MessagePart[];
  readonly metadata: Message["metadata"];
  /** What the agent has shown so far, in order. What it still writes is last. */
  readonly parts: readonly ShownPart[];
  /** Why the message failed. */
  readonly error?: { readonly code: string; readonly message: string } | undefined;
  /** The earlier message whose turn also answers this one. */
  readonly deliveredIn?: string | undefined;
}

/** `ordinal`: the model request that writes a draft. */
type TurnPart = ShownPart & { readonly attemptId?: string | undefined; readonly ordinal?: number | undefined };

interface Turn extends ConversationMessage {
  readonly parts: readonly TurnPart[];
  /** How much of the attempt's text was seen, in UTF-16 units. */
  readonly seenText: number;
}

export interface Conversation {
  /** The number of the last event. */
  readonly position: number;
  /** In the order of their acceptance. */
  readonly turns: ReadonlyMap<string, Turn>;
  /** Whether the session accepts no more messages. */
  readonly isEnded: boolean;
}

export const emptyConversation: Conversation = { position: 0, turns: new Map(), isEnded: false };

/** After these, the next attempt starts from the beginning. */
const repeated: readonly string[] = ["retry", "lost", "released"];

/** Adds an event, unless the conversation has it already. */
export function applyEvent(conversation: Conversation, item: StreamItem): Conversation {
  if (!isLedgerEvent(item)) return changeTurn(conversation, item.message_id, (turn) => applyPreview(turn, item));
  if (item.sequence_number <= conversation.position) return conversation;
  const next = { ...conversation, position: item.sequence_number };
  if (item.type === "session.status_changed") {
    return { ...next, isEnded: item.data.status !== "idle" && item.data.status !== "active" };
  }
  if (item.type === "session.rolled_back") return { ...next, turns: turnsUpTo(next.turns, item.message_id) };
  if (item.type === "user.message") {
    const { parts: input, metadata } = item.data;
    const turn: Turn = { id: item.message_id, status: "queued", input, metadata, parts: [], seenText: 0 };
    return { ...next, turns: new Map(next.turns).set(turn.id, turn) };
  }
  return changeTurn(next, item.message_id, (turn) => applyToTurn(turn, item));
}

/** `change` returns undefined to leave the message out. */
function changeTurn(
  conversation: Conversation,
  id: string | undefined,
  change: (turn: Turn) => Turn | undefined,
): Conversation {
  const turn = id === undefined ? undefined : conversation.turns.get(id);
  if (turn === undefined) return conversation;
  const changed = change(turn);
  if (changed === turn) return conversation;
  const turns = new Map(conversation.turns);
  if (changed === undefined) turns.delete(turn.id);
  else turns.set(turn.id, changed);
  return { ...conversation, turns };
}

function turnsUpTo(turns: Conversation["turns"], id: string | undefined): Conversation["turns"] {
  const index = [...turns.keys()].findIndex((key) => key === id);
  return index === -1 ? turns : new Map([...turns].slice(0, index + 1));
}

function applyToTurn(turn: Turn, event: Event): Turn | undefined {
  if (isMessageEnd(event)) return endTurn(turn, event.data);
  if (event.type === "message.status_changed") return { ...turn, status: event.data.status };
  if (event.type === "attempt.started") return { ...withoutDrafts(turn), seenText: 0 };
  if (event.type === "attempt.ended") {
    const { outcome } = event.data;
    if (outcome === "completed") return turn;
    const left = withoutDrafts(turn);
    if (!repeated.includes(outcome)) return left;
    return { ...left, parts: left.parts.filter((part) => part.attemptId !== event.attempt_id) };
  }
  return applyActivity(turn, event);
}

/** Adds what the agent does and asks. */
function applyActivity(turn: Turn, event: Event): Turn {
  const { attempt_id: attemptId } = event;
  if (event.type === "reasoning.completed" || event.type === "assistant.message") {
    // A subagent's texts are not part of the answer.
    if (event.data.parent_call_id !== undefined) return turn;
    return addText(turn, event.type === "assistant.message" ? "text" : "reasoning", event.data.text, attemptId);
  }
  if (event.type === "tool.call_requested") {
    const { call_id: callId, name, server, arguments: given } = event.data;
    const parts = turn.parts.filter((part) => !(isDraft(part) && isCall(part, callId)));
    const call = { callId, name, server, arguments: given, attemptId };
    return add({ ...turn, parts }, { type: "tool_call", ...call, state: "running" });
  }
  if (event.type === "tool.call_completed") {
    const { call_id: callId, result, is_error: isError } = event.data;
    const index = turn.parts.findLastIndex((part) => isCall(part, callId) && part.state === "running");
    return replace(turn, index, { state: isError ? "failed" : "completed", result });
  }
  if (event.type === "input.requested") {
    const { key, prompt, schema, expires_at: expiresAt } = event.data;
    const asked = { key, prompt, schema, expiresAt, messageId: turn.id, attemptId };
    return add(turn, { type: "input", ...asked, state: "waiting" });
  }
  if (event.type === "input.submitted") {
    const { key, value } = event.data;
    const index = turn.parts.findLastIndex((part) => part.type === "input" && part.key === key);
    return replace(turn, index, { state: "answered", value });
  }
  if (event.type !== "agent.event") return turn;
  return add(turn, { type: "data", name: event.data.name, data: event.data.data, attemptId });
}

function applyPreview(turn: Turn, item: Exclude<StreamItem, Event>): Turn {
  if (item.type === "assistant.text_delta") {
    const { text, offset, ordinal } = item.data;
    const fresh = text.slice(Math.max(0, turn.seenText - offset));
    if (fresh === "") return turn;
    const gap = offset > turn.seenText ? "…" : "";
    return { ...writeOn(turn, { type: "text", text: gap + fresh, ordinal }), seenText: offset + text.length };
  }
  if (item.type === "reasoning.delta") return writeOn(turn, { type: "reasoning", ...item.data });
  if (item.type !== "tool.arguments_delta") return turn;
  const { call_id: callId, name } = item.data;
  if (turn.parts.some((part) => isCall(part, callId) && (part.state === "writing" || part.state === "running"))) {
    return turn;
  }
  return { ...turn, parts: [...turn.parts, { type: "tool_call", callId, name, state: "writing" }] };
}

/** Adds text to the draft that is last, or begins one. */
function writeOn(
  turn: Turn,
  { type, text, ordinal }: Omit<ShownText, "isComplete"> & { ordinal?: number | undefined },
): Turn {
  const last = turn.parts.at(-1);
  const isSame = last?.type === type && !last.isComplete && last.ordinal === ordinal;
  const draft = { type, text: isSame ? last.text + text : text, isComplete: false, ordinal };
  return { ...turn, parts: [...(isSame ? turn.parts.slice(0, -1) : turn.parts), draft] };
}

/** Adds a text in the place of its draft, which is the oldest one. */
function addText(turn: Turn, type: ShownText["type"], text: string, attemptId: string | undefined): Turn {
  const draft = turn.parts.find((part) => part.type === type && !part.isComplete);
  const parts = turn.parts.filter((part) => part !== draft);
  return add({ ...turn, parts }, { type, text, isComplete: true, attemptId });
}

/** Adds a part before the drafts. */
function add(turn: Turn, part: TurnPart): Turn {
  const known = turn.parts.filter((one) => !isDraft(one));
  return { ...turn, parts: [...known, part, ...turn.parts.filter(isDraft)] };
}

function replace(turn: Turn, index: number, fields: Partial<ToolCall> | Partial<AskedInput>): Turn {
  return { ...turn, parts: turn.parts.map((part, at) => (at === index ? ({ ...part, ...fields } as TurnPart) : part)) };
}

function isCall(part: ShownPart, callId: string): part is ToolCall {
  return part.type === "tool_call" && part.callId === callId;
}

function isDraft(part: ShownPart): boolean {
  if (part.type === "tool_call") return part.state === "writing";
  return (part.type === "text" || part.type === "reasoning") && !part.isComplete;
}

function withoutDrafts(turn: Turn): Turn {
  return { ...turn, parts: turn.parts.filter((part) => !isDraft(part)) };
}

/** Leaves out a message that was rolled back, and one that became part of another message. */
function endTurn(turn: Turn, { status, output, merged_into, delivered_in, rolled_back }: Message): Turn | undefined {
  if (merged_into !== undefined || rolled_back === true) return undefined;
  const known = withoutDrafts(turn).parts.map((part): ShownPart => {
    if (part.type === "tool_call" && part.state === "running") return { ...part, state: "failed" };
    return part.type === "input" && part.state === "waiting" ? { ...part, state: "closed" } : part;
  });
  const ended = { ...turn, status, deliveredIn: delivered_in };
  if (delivered_in !== undefined) return { ...ended, parts: known };
  const answer = (output?.parts ?? []).flatMap((part): ShownPart[] => {
    if (part.type === "file") return [{ type: "file", path: part.path }];
    return part.type === "text" && part.text !== "" ? [{ type: "text", text: part.text, isComplete: true }] : [];
  });
  return { ...ended, parts: [...known, ...answer], error: output?.error };
}
