// Writes down what an agent connected to, or tried to.

import type { Turn } from "@dari/control";
import type { EgressRecord } from "@dari/sandbox";
import type { WorkerContext } from "../context.ts";

/** Lines per attempt; one more says that others are not written. */
const linesMax = 500;

export function logEgress(context: WorkerContext, turn: Turn): (record: EgressRecord) => void {
  const { sessionId: session, messageId: message, attemptId: attempt } = turn;
  let lines = 0;
  return (record) => {
    lines += 1;
    if (lines <= linesMax) context.log.info({ session, message, attempt, ...record }, "turn.egress");
    else if (lines === linesMax + 1) context.log.warn({ session, message, attempt }, "turn.egress_not_logged");
  };
}
