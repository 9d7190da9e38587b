// The types of an agent's function: what it is called with, and what it may return.

/** A value that JSON can express. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** A JSON Schema, as an object. */
export type JsonSchema = Readonly<Record<string, unknown>>;

export interface TextPart {
  readonly type: "text";
  readonly text: string;
}

interface StoredPart {
  /** Path in the workspace, for example `/input/report.pdf`. */
  readonly path: string;
  /** Absolute path to open. Only the parts of the running message have it. */
  readonly local_path?: string;
}

export interface FilePart extends StoredPart {
  readonly type: "file";
}

export interface ImagePart extends StoredPart {
  readonly type: "image";
}

export type Part = TextPart | FilePart | ImagePart;

export interface HistoryEntry {
  readonly role: "user" | "assistant";
  readonly parts: readonly Part[];
}

/** Numbers by snake_case name, for example `{ input_tokens: 10, output_tokens: 5 }`. */
export type Usage = Readonly<Record<string, number>>;

export interface InputOptions {
  /** The question for the person who answers, at most 2,000 characters. */
  readonly prompt?: string;
  /** How long the message waits, at most 30 days. Default: 7 days. */
  readonly expiresInSeconds?: number;
}

/** A message that a client has sent to steer the running turn. */
export interface InboxMessage {
  readonly id: string;
  /** The text of its text parts. */
  readonly text: string;
  readonly parts: readonly TextPart[];
}

/**
 * Messages that clients send with `on_busy: steer` while the turn runs. What is taken becomes a part of this turn; what
 * is not becomes the session's next message. An iteration ends when the entrypoint has returned or the turn is stopped.
 */
export interface Inbox extends AsyncIterable<InboxMessage> {
  /** Whether `take` may return messages. */
  readonly isWaiting: boolean;
  /** Resolves with the messages that wait now, oldest first. */
  take(): Promise<InboxMessage[]>;
}

/** The second argument of an agent's function. */
export interface Context {
  readonly sessionId: string;
  readonly messageId: string;
  /** 1 for the first attempt of the message. */
  readonly attempt: number;
  /** The message. The prompt is the text of its text parts. */
  readonly parts: readonly Part[];
  readonly metadata: Readonly<Record<string, unknown>>;
  /** The conversation before this message, oldest first. */
  readonly history: readonly HistoryEntry[];
  /** Absolute path of the session's directory, which is also the working directory. */
  readonly workspace: string;
  /** The same in every attempt of the message: pass it to services that must not act twice. */
  readonly operationKey: string;
  /** W3C trace context of the attempt. */
  readonly traceparent: string;
  /** Aborts when the message is cancelled or its time limit is reached. */
  readonly signal: AbortSignal;
  /** Messages that steer this turn. */
  readonly inbox: Inbox;
  /** Records an event of the session. Resolves when the platform accepts more. Throws above a limit. */
  emit(type: string, data?: unknown): Promise<void>;
  /**
   * Calls `run(args)` and resolves with its result. Events of the session record the call, its result or error, and its
   * duration. Arguments and results over 16 KiB are cut in the event.
   */
  tool<Args, Result>(name: string, args: Args, run: (args: Args) => Result | Promise<Result>): Promise<Result>;
  /**
   * Calls `run` and resolves with its result, as JSON, once the platform has stored it. A later attempt of the message
   * gets that result without the call. `operationKey` is the same in every attempt. Rejects as `run` does; then nothing
   * is recorded.
   */
  step<Result>(name: string, run: (operationKey: string) => Result | Promise<Result>): Promise<Result>;
  /** Adds to the turn's usage. Throws for what cannot be counted. */
  reportUsage(usage: Usage): Promise<void>;
  /**
   * Resolves with the stored answer for `key`. Without one, the process ends here and the message waits; after the
   * answer, the function runs again from its start.
   */
  requestInput<T = unknown>(key: string, schema: JsonSchema, options?: InputOptions): Promise<T>;
}

/** A part of an answer: text, or a file of the workspace. */
export type OutputPart = TextPart | { readonly type: "file"; readonly path: string };

/** An answer with files, or with its usage. */
export interface Output {
  readonly parts: readonly OutputPart[];
  readonly usage?: Usage;
}

/** Text, an `Output`, nothing, or a value that becomes JSON. */
export type Answer = string | Output | Json | void | undefined;

/** What an entrypoint may be. A generator's yields are streamed; what it returns, if anything, is the answer. */
export type AgentFunction = (
  prompt: string,
  context: Context,
) => Answer | Promise<Answer> | AsyncIterable<Json> | Iterator<Json, Answer>;
