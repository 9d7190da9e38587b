// Ends a turn after a request to a model was refused: an agent could repeat the request until its time limit.

import type { AskedLimit } from "@dari/control/turns";
import type { Failure } from "@dari/domain";
import type { ModelAdmission, ModelGate } from "@dari/gateway";

/** Decides about the requests of one attempt to models. */
export interface TurnGate extends ModelGate {
  /** The code with which the turn fails after a refusal. */
  readonly code: Failure["code"];
  /** Why a request was refused, and the turn fails. Undefined: none was. */
  readonly reached: string | undefined;
  /** What the turn asks for instead of failing. Undefined: it fails. */
  readonly asked?: AskedLimit | undefined;
  /** Calls back once after a refusal was sent, if there is one. Returns a function that stops that. */
  onReached(end: () => void): () => void;
  /** Refuses what waits, and whatever follows. */
  close(): void;
}

/** How long after a refusal the turn ends in any case, in milliseconds. */
const endWithinMs = 5_000;

/** The refusal that ends a turn. */
export class TurnRefusal {
  #reason: string | undefined;
  #isSent = false;
  readonly #listeners = new Set<() => void>();

  /** Why the first request was refused. */
  get reason(): string | undefined {
    return this.#reason;
  }

  refuse(reason: string): ModelAdmission {
    // A client that does not read its refusal must not go on for it.
    if (this.#reason === undefined) setTimeout(this.#tell, endWithinMs).unref();
    this.#reason ??= reason;
    return { isAdmitted: false, isTemporary: false, reason, onRefused: this.#tell };
  }

  /** Ends the turn at once, without an answer to the request. */
  end(reason: string): void {
    this.#reason ??= reason;
    this.#tell();
  }

  /** See `TurnGate.onReached`. */
  onSent(end: () => void): () => void {
    if (this.#isSent) end();
    else this.#listeners.add(end);
    return () => void this.#listeners.delete(end);
  }

  readonly #tell = (): void => {
    this.#isSent = true;
    for (const end of this.#listeners) end();
    this.#listeners.clear();
  };
}

export const turnEnded: ModelAdmission = {
  isAdmitted: false,
  isTemporary: true,
  reason: "the turn that this request belongs to has ended",
};
