// Limits of an agent's steps. A step's name is like the key of an input.

import { limits } from "./limits.ts";

export const stepLimits = {
  /** Recorded results of one message. */
  perMessage: 1_000,
  /** The JSON of one result, and of all results of a message. */
  resultBytes: 256 * 1024,
  bytesPerMessage: 4 * 1024 * 1024,
} as const;

if (limits.agentJsonValues <= stepLimits.resultBytes) throw new Error("limits: a result can have too many values");
