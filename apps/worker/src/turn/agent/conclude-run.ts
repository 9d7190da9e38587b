// Decides how an agent ended, from its guest's report and from what the sandbox and the gate observed.

import { failure, limits, type Failure } from "@dari/domain";
import { limitsOf, memoryBoundOf } from "@dari/sandbox-pool";
import type { AgentEnding, RestoredAttempt } from "../attempt.ts";
import { toExceededFailure, toShortageFailure, withMemoryLimit } from "../failures/describe-exceeded-limit.ts";
import type { TurnRecorders } from "./turn-recorders.ts";
import { scrubStack } from "../scrub/scrub-turn.ts";
import type { RunResult } from "./run-in-sandbox.ts";

/** Returns how the agent ended, and writes to the attempt's log what only its author should read. */
export function concludeRun(attempt: RestoredAttempt, recorders: TurnRecorders, run: RunResult): AgentEnding {
  const { logs, gate } = recorders;
  const { exceeded, endedWithBytes } = run;
  const ending = scrubStack(attempt.turn.scrubber, run.ending);
  const { usage, delivered } = ending;
  const said = { usage, delivered };
  switch (ending.kind) {
    case "completed":
      return { kind: "completed", parts: ending.parts, lostConnections: logs.lostConnections(), ...said };
    case "suspended":
      return ending;
    case "timeout":
      return { kind: "failed", failure: timeout(attempt.turn.manifest.runtime.timeout_seconds), ...said };
    case "cancelled":
      return { kind: "stopped", partialParts: recorders.partialParts(), ...said };
    case "failed": {
      const { stack } = ending;
      if (stack !== undefined) logs.add("platform", `${stack}\n`);
      if (gate?.reached !== undefined) {
        const { asked } = gate;
        const exceeded = failure(gate.code, gate.reached);
        if (asked === undefined) return { kind: "failed", failure: exceeded, ...said };
        logs.add("platform", `${asked.prompt}\n`);
        return { kind: "limited", asked, failure: exceeded, ...said };
      }
      if (endedWithBytes !== undefined) return { kind: "failed", failure: toShortageFailure(endedWithBytes), ...said };
      const { settings } = attempt.context;
      const [own, most] = [limitsOf(settings, attempt.turn), memoryBoundOf(settings, attempt.turn)];
      const cause =
        exceeded === undefined ? withMemoryLimit(ending.failure, own, most) : toExceededFailure(exceeded, own, most);
      return { kind: "failed", failure: cause, ...said };
    }
  }
}

function timeout(seconds: number): Failure {
  return failure(
    "timeout",
    `the agent exceeded its time limit (${seconds} s); raise runtime.timeout_seconds in dari.yml, up to ` +
      `${limits.turnTimeoutSecondsMax} s`,
  );
}
