// The control plane's interfaces for delivery and notification. Types only; db and queue implement them.

/** A session that has been moved to `dispatched`, and its turn, which a worker must get. */
export interface DispatchedTurn {
  readonly organizationId: string;
  readonly sessionId: string;
  readonly messageId: string;
  readonly dispatchNumber: number;
  /** Attempts that the message has left, at least 1. */
  readonly attemptsLeft: number;
}

/** Delivers dispatched turns to workers. A lost delivery only costs time, because the rows are in the database. */
export interface TurnDelivery {
  /** False while the queue is away; workers then pull from the database. */
  readonly available: boolean;
  /** Rejects if the queue cannot take them now; the caller then returns the sessions to `ready`. */
  deliver(turns: readonly DispatchedTurn[]): Promise<void>;
}

/**
 * `ready`: a session waits for dispatch. `slot`: a worker's slot is free. `dispatched`: a turn can be pulled.
 * `message`: that message's row has changed.
 */
export type WakeTopic = "ready" | "slot" | "dispatched" | "message" | "session" | "build" | "cancel";

/** Tells listeners that a row has changed. Notifications can be lost, so listeners also poll slowly. */
export interface Notifier {
  notify(topic: WakeTopic, id: string): void;
  /**
   * Calls `listener` for this id, or for every id of the topic if `id` is undefined. Returns the function that stops
   * it.
   */
  subscribe(topic: WakeTopic, id: string | undefined, listener: (id: string) => void): () => void;
  close(): Promise<void>;
}

/** A part of a stream that is shown but not stored. */
export interface Preview {
  readonly type: "assistant.text_delta" | "reasoning.delta" | "tool.arguments_delta" | "log";
  readonly messageId: string;
  readonly attemptId: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Sends previews from workers to the session's current viewers. A preview can be lost. */
export interface Previews {
  /** A preview that is larger than `limits.previewBytes` as JSON is not sent. */
  send(sessionId: string, preview: Preview): void;
  /** Returns the function that stops it. */
  follow(sessionId: string, listener: (preview: Preview) => void): () => void;
  /** Returns whether a process follows the session. True if that is not known. */
  isFollowed(sessionId: string): Promise<boolean>;
  close(): Promise<void>;
}

/** Whether the API may dispatch a session that it has just made ready. */
export interface Admission {
  mayDispatch(organizationId: string): boolean;
}

/** The structured log: an event's name and its fields, including ids. */
export interface Log {
  debug(fields: Record<string, unknown>, event: string): void;
  info(fields: Record<string, unknown>, event: string): void;
  warn(fields: Record<string, unknown>, event: string): void;
  error(fields: Record<string, unknown>, event: string): void;
}
