// Runs a turn's agent in a started sandbox until the sandbox has ended, or rests for the session's next turn.

import { retryThroughOutage } from "@dari/control/context";
import { countAttempt } from "@dari/control/turns";
import { limits } from "@dari/domain";
import { captureLogs, type TurnEnding } from "@dari/harness";
import type { Exceeded, Sandbox, SandboxUsage } from "@dari/sandbox";
import { limitsOf } from "@dari/sandbox-pool";
import type { RestoredAttempt } from "../attempt.ts";
import { wasEndedByMachine } from "../failures/describe-exceeded-limit.ts";
import { logUnreachableHosts } from "../network/log-unreachable-hosts.ts";
import { isCut, type TurnRecorders } from "./turn-recorders.ts";
import { callAgent } from "./call-agent.ts";

/** How a run in a sandbox ended. */
export interface RunResult {
  readonly ending: TurnEnding;
  readonly exceeded: Exceeded | undefined;
  /** What the turn held before it ended because the worker had no memory left, in bytes. Undefined: it did not. */
  readonly endedWithBytes: number | undefined;
  /** False if the agent failed before it was called. */
  readonly isLoaded: boolean;
  /** Whether the sandbox is kept for the session's next turn, with its processes stopped. */
  readonly isResting: boolean;
}

/** A started sandbox, and what a turn does with it. */
export interface RunningSandbox {
  readonly sandbox: Sandbox;
  /** Whether the agent loads without the turn's files. Otherwise the files are mounted before the agent loads. */
  readonly isAgentLoaded: boolean;
  /** Whether the sandbox may be kept for the session's next turn. */
  readonly canRest: boolean;
  mountFiles(): Promise<void>;
  /** Ends the sandbox. Resolves when all its processes are dead. */
  end(): Promise<void>;
}

/** Runs the agent. When it returns, no process of the agent runs. */
export async function runInSandbox(
  attempt: RestoredAttempt,
  recorders: TurnRecorders,
  running: RunningSandbox,
): Promise<RunResult> {
  const { context, turn } = attempt;
  const { gate } = recorders;
  const { sandbox } = running;
  const captured = captureLogs({
    stdout: sandbox.stdout,
    stderr: sandbox.stderr,
    maxBytes: limits.logBytesPerAttempt,
    scrub: () => turn.scrubber.stream(),
    onText: (stream, text) => recorders.addOutput(stream, text),
  });
  const call = await callUntilEnd(attempt, recorders, running, () => captured.tail("stderr"));
  const { ending, isCalled, isResting } = call;
  await (isResting ? captured.leave() : captured.done);
  captured.showRest({ isCut: isCut(ending) });
  if (ending.kind === "failed") logUnreachableHosts(context, turn, recorders.logs, captured.tail("stderr"));
  const usage = await sandbox.collect();
  const endedWithBytes = bytesHeldAtShortage(attempt, usage, call.endedWithBytes);
  // The agent's code is not at fault, and must not be started again at once.
  const isEnded = endedWithBytes !== undefined || gate?.reached !== undefined;
  if (isEnded && !isCalled) await countFailedLoad(attempt, ending);
  const isLoaded = isCalled || ending.kind !== "failed" || isEnded;
  return { ending, isLoaded, isResting, exceeded: usage.exceeded, endedWithBytes };
}

/** How the call of the agent ended, and its sandbox with it. */
interface EndedCall extends Pick<RunResult, "ending" | "isResting" | "endedWithBytes"> {
  readonly isCalled: boolean;
}

async function callUntilEnd(
  attempt: RestoredAttempt,
  recorders: TurnRecorders,
  running: RunningSandbox,
  stderrTail: () => string,
): Promise<EndedCall> {
  const { turn, watch, place } = attempt;
  const { sandbox } = running;
  let ending: TurnEnding | undefined;
  let isCalled = false;
  let isResting = false;
  let endedWithBytes: number | undefined;
  const untrack = place.track({
    organizationId: turn.organizationId,
    versionId: turn.versionId,
    memoryBytes: () => sandbox.memoryBytes?.() ?? 0,
    end(heldBytes) {
      endedWithBytes = heldBytes;
      // The turn ends with its sandbox, and reports if that cannot be ended.
      void running.end().catch(() => {});
    },
  });
  // An agent could repeat a refused request until its time limit.
  const unlisten = recorders.gate?.onReached(() => void running.end().catch(() => {}));
  const filesMounted = running.mountFiles();
  try {
    // The guest reads its turn while the files are being mounted. The agent is called once the files are mounted.
    if (running.isAgentLoaded) filesMounted.catch(() => {});
    else await filesMounted;
    ending = await callAgent(attempt, recorders, sandbox, {
      filesMounted,
      canRest: running.canRest,
      onCall() {
        isCalled = true;
        place.started();
      },
      stderrTail,
    });
  } finally {
    await filesMounted.catch(() => {});
    watch.lap("agent_ms");
    isResting = running.canRest && ending?.kind === "completed" && (await tryToRest(recorders, sandbox, ending.kept));
    try {
      if (!isResting) await running.end();
    } finally {
      untrack();
      unlisten?.();
    }
    watch.lap("kill_ms");
  }
  return { ending, isCalled, isResting, endedWithBytes };
}

/** Stops the sandbox for the session's next turn. If that is not possible, writes the reason to the attempt's log. */
async function tryToRest({ logs }: TurnRecorders, sandbox: Sandbox, kept?: number): Promise<boolean> {
  const why = await sandbox.rest!(kept).catch((error: unknown) => String(error));
  if (why !== undefined) logs.add("platform", `this process is not kept for the session's next turn: ${why}\n`);
  return why === undefined;
}

/** Returns what the turn held if the machine, and not the turn, had no memory left. */
function bytesHeldAtShortage(
  { context, turn }: RestoredAttempt,
  usage: SandboxUsage,
  endedWithBytes: number | undefined,
): number | undefined {
  if (usage.exceeded !== "memory") return endedWithBytes;
  const isMachine = wasEndedByMachine(usage, limitsOf(context.settings, turn));
  return isMachine ? (endedWithBytes ?? usage.peakMemoryBytes) : undefined;
}

/** Counts the attempt if the agent failed while it loaded: that is a failure of the agent's code. */
export async function countFailedLoad({ context, turn, lease }: RestoredAttempt, ending: TurnEnding): Promise<void> {
  if (ending.kind !== "failed" || ending.failure.code === "internal_error") return;
  // The database does not count an attempt again that was counted at the call.
  await retryThroughOutage(context, () => countAttempt(context.db, turn), lease.signal);
}
