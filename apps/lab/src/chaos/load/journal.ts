// What clients know, stored outside the system: what they sent with which key, what was acknowledged, what was
// answered.

import type { MessageRecord } from "@dari/contract";
import type { Prompt } from "./agent.ts";
import type { Tenant } from "./tenants.ts";

export interface Sent {
  readonly tenant: Tenant;
  readonly sessionId: string;
  readonly prompt: Prompt;
  readonly delivery: "async" | "sync";
  /** Wall clock, in milliseconds; undefined if never acknowledged. */
  readonly sentAt: number;
  acknowledgedAt: number | undefined;
  /** More than one would be two messages with one key. */
  readonly messageIds: Set<string>;
  cancel: { readonly askedAt: number; readonly answered: MessageRecord["status"] } | undefined;
  /** The answer to a waiting call. */
  answer: MessageRecord | undefined;
}

export interface Journal {
  readonly sent: Sent[];
  /** Errors that clients may see, by status and code: `500 internal`. */
  readonly refusals: Map<string, number>;
  /** How long it took to accept messages without waiting, in milliseconds. */
  readonly answerMs: { readonly at: number; readonly ms: number }[];
  /** Sentences about what a client must never see. */
  readonly faults: string[];
  note(refusal: string): void;
}

export function openJournal(): Journal {
  const refusals = new Map<string, number>();
  return {
    sent: [],
    refusals,
    answerMs: [],
    faults: [],
    note: (refusal) => void refusals.set(refusal, (refusals.get(refusal) ?? 0) + 1),
  };
}
