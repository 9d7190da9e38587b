// What a page shows of a session.

import type { Message, MessagePart } from "@dari/client";

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
