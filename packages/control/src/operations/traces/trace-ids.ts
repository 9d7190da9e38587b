// Computes the trace id from the message's id. So no id passes through the database, the queue and retries, and a
// message's id is enough to find its trace.

import { createHash } from "node:crypto";

const digestOf = (text: string): string => createHash("sha256").update(`dari ${text}`).digest("hex");

export interface TraceIds {
  readonly traceId: string;
  readonly spanId: string;
}

export function traceIdsFor(id: string): TraceIds {
  const digest = digestOf(id);
  return { traceId: digest.slice(0, 32), spanId: digest.slice(32, 48) };
}

/** Returns the span id of an attempt, or of one of its phases. */
export function spanIdOf(id: string, name = ""): string {
  return digestOf(name === "" ? `${id} span` : `${id} ${name}`).slice(0, 16);
}

/** Returns the W3C trace context for an agent, whose spans belong below its attempt's. */
export function traceparentOf(messageId: string, attemptId: string): string {
  return `00-${traceIdsFor(messageId).traceId}-${spanIdOf(attemptId, "agent")}-01`;
}
