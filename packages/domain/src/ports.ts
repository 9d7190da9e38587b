// What the control plane asks of whatever delivers and wakes. Types only; db and queue implement them.

/** A session that has been moved to `dispatched`; its turn is to be brought to a worker. */
export interface DispatchedTurn {
  readonly organizationId: string;
  readonly sessionId: string;
  readonly messageId: string;
  readonly dispatchNumber: number;
  /** Attempts that the message may still use, at least 1. */
  readonly attemptsLeft: number;
}

/** Brings dispatched turns to workers. Carries nothing that matters: a lost delivery costs time only. */
export interface TurnDelivery {
  /** False while the queue is away: workers then pull from the database themselves. */
  readonly available: boolean;
  /** Rejects when the queue cannot take them now; the caller gives the sessions back to `ready`. */
  deliver(turns: readonly DispatchedTurn[]): Promise<void>;
}

/**
 * `ready`: a session waits for dispatch. `slot`: a worker's slot came free. `dispatched`: a turn may be pulled.
 * `message`: look at that message's row.
 */
export type WakeTopic = "ready" | "slot" | "dispatched" | "message" | "session" | "build" | "cancel";

/** Tells listeners to look at a row. It can lose notifications, so listeners also poll slowly. */
export interface Notifier {
  notify(topic: WakeTopic, id: string): void;
  /** Calls `listener` for this id, or for every id of the topic when `id` is undefined. Returns the way to stop. */
  subscribe(topic: WakeTopic, id: string | undefined, listener: (id: string) => void): () => void;
  close(): Promise<void>;
}

/** What a stream shows and nobody keeps. */
export interface Preview {
  readonly type: "assistant.text_delta" | "log";
  readonly messageId: string;
  readonly attemptId: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Sends previews from workers to the session's current viewers. A preview can be lost. */
export interface Previews {
  /** A preview that is larger than `limits.previewBytes` as JSON is not sent. */
  send(sessionId: string, preview: Preview): void;
  /** Returns the way to stop. */
  follow(sessionId: string, listener: (preview: Preview) => void): () => void;
  close(): Promise<void>;
}

/** Whether the API may move a session it just made ready straight to a worker. */
export interface Admission {
  mayDispatch(organizationId: string): boolean;
}

/** Structured log: an event's name and its fields, ids among them. */
export interface Log {
  debug(fields: Record<string, unknown>, event: string): void;
  info(fields: Record<string, unknown>, event: string): void;
  warn(fields: Record<string, unknown>, event: string): void;
  error(fields: Record<string, unknown>, event: string): void;
}
