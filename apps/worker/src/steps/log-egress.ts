// Writes down what an agent connected to, or tried to.

import type { Turn } from "@dari/control";
import type { EgressRecord } from "@dari/sandbox";
import type { WorkerContext } from "../context.ts";

/** Lines per attempt at the usual level; one more says that the others are not written. */
const linesMax = 500;

export function logEgress(context: WorkerContext, turn: Turn): (record: EgressRecord) => void {
  const { sessionId: session, messageId: message, attemptId: attempt } = turn;
  let lines = 0;
  return (record) => {
    lines += 1;
    // Every one of them is an event that is counted; the first ones are written whatever the level.
    const level = lines <= linesMax ? "info" : "debug";
    // Names of hosts are the agent's to choose.
    const shown = turn.scrubber.json(record) as EgressRecord;
    context.log[level]({ session, message, attempt, ...shown }, "turn.egress");
    if (lines === linesMax + 1) context.log.warn({ session, message, attempt }, "turn.egress_not_logged");
  };
}
