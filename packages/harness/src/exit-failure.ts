// Why a turn failed whose process ended without an answer.

import { failure, type Failure } from "@dari/domain";

/** How a process ended. The shape that every sandbox driver reports. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Set when the program was never executed. */
  readonly startError?: string;
}

/** What whoever owns the sandbox knows about an exit. */
export interface ExitEvidence {
  readonly oomKilled?: boolean;
  /** The end of what the process wrote to stderr. */
  readonly stderrTail?: string;
}

const outOfMemorySigns = /heap out of memory|Reached heap limit|Fatal process out of memory/;

/** `out_of_memory` where the evidence says so, `internal_error` for a program that never ran, else `agent_exit`. */
export function exitFailure(exit: ProcessExit, evidence: ExitEvidence = {}): Failure {
  if (exit.startError !== undefined) {
    return failure("internal_error", `the agent's process could not be started: ${exit.startError}`);
  }
  const how = exit.signal === null ? `exited with code ${exit.code}` : `was ended by ${exit.signal}`;
  if (evidence.oomKilled === true || outOfMemorySigns.test(evidence.stderrTail ?? "")) {
    return failure("out_of_memory", `the agent used more memory than it may; its process ${how}`);
  }
  return failure("agent_exit", `the agent's process ${how} before it answered`);
}
