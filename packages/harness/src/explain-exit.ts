// Explains why a turn's process ended without an answer.

import { failure, type Failure } from "@dari/domain";

/** How a process ended, as every sandbox driver reports it. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Set when the program was never executed. */
  readonly startError?: string;
}

const outOfMemorySigns = /heap out of memory|Reached heap limit|Fatal process out of memory/;

/**
 * Returns `out_of_memory` if the end of stderr says so, `internal_error` for a program that never ran, otherwise
 * `agent_exit`.
 */
export function toExitFailure(exit: ProcessExit, stderrTail = ""): Failure {
  if (exit.startError !== undefined) {
    return failure("internal_error", `the agent's process could not be started: ${exit.startError}`);
  }
  const how = exit.signal === null ? `exited with code ${exit.code}` : `was ended by ${exit.signal}`;
  if (outOfMemorySigns.test(stderrTail)) {
    return failure("out_of_memory", `the agent exceeded its memory limit; its process ${how}`);
  }
  return failure("agent_exit", `the agent's process ${how} before it answered`);
}
