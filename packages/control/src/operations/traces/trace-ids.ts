// The trace id is computed from the message's id. So nothing must be passed through the database, the queue and
// retries, and a message's id is enough to find its trace.

import { createHash } from "node:crypto";

const digestOf = (text: string): string => createHash("sha256").update(`dari ${text}`).digest("hex");

export interface TraceIds {
  readonly traceId: string;
  /** The id of the root span. */
  readonly spanId: string;
}

export function traceOf(id: string): TraceIds {
  const digest = digestOf(id);
  return { traceId: digest.slice(0, 32), spanId: digest.slice(32, 48) };
}

/** The span of `name` within what an id names: of an attempt, of one of its phases. */
export function spanIdOf(id: string, name = ""): string {
  return digestOf(name === "" ? `${id} span` : `${id} ${name}`).slice(0, 16);
}

/** W3C trace context for an agent whose spans belong below its attempt's. */
export function traceparentOf(messageId: string, attemptId: string): string {
  return `00-${traceOf(messageId).traceId}-${spanIdOf(attemptId, "agent")}-01`;
}
