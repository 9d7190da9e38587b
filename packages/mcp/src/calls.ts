// What the tools need: operations of the API with the HTTP client's names and arguments, and a way to wait.

import type { AgentRecord, MessageRecord, SendMessageRequest } from "@dari/contract";

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface Rows<Row> {
  readonly data: readonly Row[];
  /** Null on the last page. */
  readonly next: string | null;
}

/** The HTTP client satisfies this interface. */
export interface ToolCalls {
  listAgents(
    query: { limit: number },
    options: CallOptions,
  ): Promise<Rows<Pick<AgentRecord, "id" | "name" | "description" | "active_version_id">>>;
  listSessions(query: { limit: number; agent_id?: string }, options: CallOptions): Promise<Rows<object>>;
  createSession(agentId: string, body: { name?: string }, options: CallOptions): Promise<object>;
  getSession(sessionId: string, options: CallOptions): Promise<{ readonly agent_id: string }>;
  sendMessageAsync(sessionId: string, body: SendMessageRequest, options: CallOptions): Promise<MessageRecord>;
  sendAgentMessage(
    agentId: string,
    body: { type: "user.message"; content: { type: "text"; text: string }[] },
    options: CallOptions,
  ): Promise<{ readonly message: MessageRecord }>;
  getMessage(messageId: string, query: object, options: CallOptions): Promise<MessageRecord>;
  answerInput(messageId: string, body: { key: string; value: unknown }, options: CallOptions): Promise<MessageRecord>;
  listMessages(sessionId: string, query: { limit: number }, options: CallOptions): Promise<Rows<MessageRecord>>;
  listSessionFiles(sessionId: string, query: { path?: string }, options: CallOptions): Promise<object>;
  getSessionFileContent(
    sessionId: string,
    query: { path: string },
    options: CallOptions,
  ): Promise<AsyncIterable<Uint8Array>>;
}

export interface WaitOptions {
  readonly timeoutMs: number;
  /** Aborts when nobody waits for the result any more. The message continues. */
  readonly signal: AbortSignal;
  /** Reports what the turn does. Absent: the caller did not ask for reports. */
  readonly report?: ((text: string) => void) | undefined;
}

/**
 * Returns the record when the message has ended, was merged or handed to another turn, or waits for an input; otherwise
 * the current record after `timeoutMs`.
 */
export type AwaitMessage = (message: MessageRecord, options: WaitOptions) => Promise<MessageRecord>;

/** A refusal in the tools' own words. */
export class ToolError extends Error {
  override readonly name = "ToolError";
}
