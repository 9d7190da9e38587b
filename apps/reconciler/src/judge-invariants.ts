// Checks rows against the invariants. Repairs nothing: it reports each violation with its name and rows.

import type { InvariantRounds } from "@dari/db";
import type { Log } from "@dari/domain";

/** Counted since the start. */
export interface InvariantCounters {
  /** Completed rounds. */
  readonly invariant_rounds: number;
  /** Violated invariants, each counted once per round. */
  readonly invariant_violations: number;
}

export interface InvariantJudge {
  /** Runs one round and returns how many invariants are violated. */
  judge(): Promise<number>;
  counters(): InvariantCounters;
}

export function createInvariantJudge(rounds: InvariantRounds, log: Pick<Log, "debug" | "error">): InvariantJudge {
  const counters = { invariant_rounds: 0, invariant_violations: 0 };
  return {
    async judge() {
      const violations = await rounds.next();
      for (const { invariant, says, rows } of violations) log.error({ invariant, says, rows }, "invariant.violated");
      log.debug({ violations: violations.length }, "invariants.judged");
      counters.invariant_rounds += 1;
      counters.invariant_violations += violations.length;
      return violations.length;
    },
    counters: () => ({ ...counters }),
  };
}
