// What records the answers of a turn's models and gives recorded ones back, as the proxy sees it.

/** An answer that passed to its end. */
export interface RecordedAnswer {
  readonly status: number;
  /** The headers that say how to read the body, and the provider's id of the request. */
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes that passed: with their content encoding, without their transfer encoding. */
  readonly body: Buffer;
  readonly model: string | null;
  readonly finishReason: string | null;
}

/**
 * How a request ended. `failed`: the agent has no answer, and may ask again. `unrecorded`: it has one, which is too
 * large or cannot be checked.
 */
export type AnswerResult = RecordedAnswer | "failed" | "unrecorded";

/** The bytes of answers that are held in memory. */
export interface AnswerRoom {
  /** Returns whether there is room. Each byte that was taken must be given back. */
  take(bytes: number): boolean;
  give(bytes: number): void;
}

/** An answer in memory. */
export interface HeldAnswer {
  readonly answer: RecordedAnswer;
  /** Gives its bytes back. Call it once. */
  release(): void;
}

/** Records the answers of one attempt, and gives back those that earlier attempts recorded. */
export interface AnswerRecorder {
  readonly room: AnswerRoom;
  /**
   * Begins a request. `digest`: equal for equal requests; undefined: its body could not be held. Returns undefined if
   * the answer is not to be recorded.
   */
  begin(digest: string | undefined): AnswerEntry | undefined;
  /**
   * Resolves once the answers that have ended are stored, so that a lost worker costs no more than the requests that
   * are open. Waits for a limited time. Never rejects.
   */
  settled(): Promise<void>;
}

/** One request of the attempt. */
export interface AnswerEntry {
  /** Resolves with the answer that an earlier attempt recorded, or undefined. Never rejects. */
  find(): Promise<HeldAnswer | undefined>;
  /** Stores what the request got. Call it once the answer has arrived. Resolves once it is stored. Never rejects. */
  end(result: Promise<AnswerResult>): Promise<void>;
}
