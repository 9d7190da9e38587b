// Holds the bytes of an answer while they pass, so that it can be recorded.

import { recordedAnswerLimits } from "@dari/domain";
import type { AnswerRoom } from "./answer-recorder.ts";

const firstBytes = 16 * 1024;

/** One buffer that grows: chunks can be small parts of large buffers, which they would keep in memory. */
export class AnswerBuffer {
  readonly #room: AnswerRoom;
  readonly #bytesMax: number;
  #buffer = Buffer.alloc(0);
  #length = 0;
  #isDropped = false;

  constructor(room: AnswerRoom, bytesMax: number = recordedAnswerLimits.bytesPerAnswer) {
    this.#room = room;
    this.#bytesMax = bytesMax;
  }

  /** Without room for the chunk, drops everything. */
  write(chunk: Buffer): void {
    if (this.#isDropped) return;
    const length = this.#length + chunk.length;
    if (length > this.#buffer.length && !this.#grow(length)) return this.drop();
    chunk.copy(this.#buffer, this.#length);
    this.#length = length;
  }

  /** The bytes so far, until `drop`. Undefined if there was no room for all of them. */
  bytes(): Buffer | undefined {
    return this.#isDropped ? undefined : this.#buffer.subarray(0, this.#length);
  }

  /** Gives the room back. Idempotent. */
  drop(): void {
    this.#isDropped = true;
    this.#room.give(this.#buffer.length);
    this.#buffer = Buffer.alloc(0);
  }

  #grow(length: number): boolean {
    if (length > this.#bytesMax) return false;
    const bytes = Math.min(this.#bytesMax, Math.max(length, 2 * this.#buffer.length, firstBytes));
    if (!this.#room.take(bytes - this.#buffer.length)) return false;
    const grown = Buffer.allocUnsafeSlow(bytes);
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
    return true;
  }
}
