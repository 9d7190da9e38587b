// Runs a turn's agent in a sandbox of the pool, or in a new sandbox.

import { retryThroughOutage } from "@dari/control/context";
import { countAttempt, type AskedLimit } from "@dari/control/turns";
import { failure, limits, type Failure } from "@dari/domain";
import {
  captureLogs,
  waitForGuest,
  type AskedInput,
  type OutputPart,
  type TurnEnding,
  type Usage,
} from "@dari/harness";
import type { Exceeded, Sandbox, SandboxReports } from "@dari/sandbox";
import {
  agentRecipe,
  limitsOf,
  memoryBoundOf,
  showImportOutput,
  startAgent,
  type ServingSandbox,
} from "@dari/sandbox-pool";
import type { RestoredAttempt } from "../attempt.ts";
import { callAgent, type AgentCall } from "./call-agent.ts";
import { createTextCollector } from "../recorders/collect-text.ts";
import {
  toExceededFailure,
  toShortageFailure,
  wasEndedByMachine,
  withMemoryLimit,
} from "../failures/describe-exceeded-limit.ts";
import { createAnswerKeeper } from "../recorders/keep-answers.ts";
import { logEgress } from "../network/log-egress.ts";
import { logUnreachableHosts } from "../network/log-unreachable-hosts.ts";
import { createEventRecorder } from "../recorders/record-events.ts";
import { startLogRecorder } from "../recorders/record-logs.ts";
import { isMetered, limitModelRequests } from "../model-limits/limit-model-requests.ts";
import { refuseModelRequests } from "../model-limits/refuse-model-requests.ts";
import { createModelRequestRecorder } from "../recorders/record-model-requests.ts";
import { createValueRecorder } from "../recorders/record-values.ts";
import { createPieceScrubber } from "../scrub/scrub-pieces.ts";
import { scrubStack } from "../scrub/scrub-turn.ts";
import { startPreviewSender } from "../recorders/send-previews.ts";

export type AgentEnding = (
  | {
      readonly kind: "completed";
      readonly parts: readonly OutputPart[];
      /** Connections that were refused or failed. */
      readonly lostConnections: readonly string[];
    }
  | { readonly kind: "failed"; readonly failure: Failure }
  | { readonly kind: "suspended"; readonly asked: AskedInput }
  /** Stopped at a limit of the message, which asks for a higher one. `failure`: how it ends if the limit stays. */
  | { readonly kind: "limited"; readonly asked: AskedLimit; readonly failure: Failure }
  /** Cancelled, superseded or released: the lease's signal says which. `partialParts`: the agent's output so far. */
  | { readonly kind: "stopped"; readonly partialParts: readonly OutputPart[] }
) & {
  readonly usage?: Usage | undefined;
  /** How many of the messages that the attempt took have reached the agent. Undefined: all. */
  readonly delivered?: number | undefined;
};

/**
 * Runs the agent. When it returns, no process of the agent runs: each one is dead, or stopped without access to the
 * turn's files.
 */
export async function runAgent(attempt: RestoredAttempt, imageDir: string): Promise<AgentEnding> {
  const { context, turn, lease } = attempt;
  if (lease.signal.aborted) return { kind: "stopped", partialParts: [] };
  const logs = startLogRecorder(context, turn);
  const previews = startPreviewSender(context.previews, turn);
  const partialText = createTextCollector(turn.scrubber, previews.delta);
  const pieces = createPieceScrubber(turn.scrubber, previews.piece);
  const events = createEventRecorder(attempt, logs);
  const values = createValueRecorder(attempt, logs);
  const modelRequests = createModelRequestRecorder(attempt);
  const answers = createAnswerKeeper({ ...attempt, modelRequests }, logs);
  const isRefused = turn.replay?.asksModels === false;
  const gate = isRefused
    ? refuseModelRequests(turn.replay.of)
    : limitModelRequests(attempt, modelRequests, answers.stored);
  if (gate !== undefined && !isMetered(context, turn)) logs.add("platform", unmeteredWarning);
  const recorders = { logs, previews, events, values, modelRequests, answers };
  const call: AgentCall = { attempt, ...recorders, gate, partialText, pieces };
  let isCompleted = false;
  try {
    const run = await runInAnySandbox(call, imageDir);
    partialText.end({ isCut: isCut(run.ending) });
    const stored = events.end();
    // The end of a stopped turn is recorded in any case.
    await (lease.signal.aborted ? stored.catch(() => {}) : stored);
    await values.end();
    isCompleted = run.ending.kind === "completed";
    return endingOf(call, run);
  } finally {
    // Flush now: no preview of an attempt may be shown after its end is recorded.
    previews.flush();
    events.stop();
    gate?.close();
    await modelRequests.end();
    await answers.end(isCompleted);
    logs.stop();
    await logs.flush();
  }
}

const unmeteredWarning =
  "the limits of this message do not apply, because requests to models are not metered; with an isolating driver, " +
  "store the model's key with `dari credentials add NAME --hosts HOST`, or name the host under `models` in dari.yml\n";

/** Returns whether the agent was stopped before its end. After that, it may still have written in the background. */
function isCut({ kind }: TurnEnding): boolean {
  return kind !== "completed" && kind !== "suspended";
}

/** How a run in a sandbox ended. */
interface RunResult {
  readonly ending: TurnEnding;
  readonly exceeded: Exceeded | undefined;
  /** What the turn held before it ended because the worker had no memory left, in bytes. Undefined: it did not. */
  readonly endedWithBytes: number | undefined;
  /** False if the agent failed before it was called. */
  readonly isLoaded: boolean;
  /** Whether the sandbox is kept for the session's next turn, with its processes stopped. */
  readonly isResting: boolean;
}

async function runInAnySandbox(call: AgentCall, imageDir: string): Promise<RunResult> {
  const { attempt } = call;
  const { context, turn } = attempt;
  const { pool } = context;
  if (pool === undefined) return await runInNewSandbox(call, imageDir);
  const recipe = agentRecipe(context, turn);
  const serving = await pool.beginTurn(recipe, attempt.lease.signal);
  let isPreloadable = true;
  let rested: ServingSandbox | undefined;
  try {
    const pooled = serving && (await runInPooledSandbox(call, serving, pool.canKeep(recipe)));
    // The failure may come from preloading, so start the agent again in a new sandbox.
    const run = pooled ?? (await runInNewSandbox(call, imageDir));
    isPreloadable = run.isLoaded && (serving === undefined) === (pooled === undefined);
    if (pooled?.isResting === true) rested = serving;
    return run;
  } finally {
    attempt.kept = pool.endTurn(recipe, { isPreloadable, rested });
  }
}

async function runInNewSandbox(call: AgentCall, imageDir: string): Promise<RunResult> {
  const { context, turn, turnDir } = call.attempt;
  const sandbox = await startAgent(context, turn, { imageDir, slotDir: turnDir, reports: reportsTo(call) });
  const run = await runInSandbox(call, {
    sandbox,
    isAgentLoaded: false,
    canRest: false,
    mountFiles: () => sandbox.claim(),
    end: () => sandbox.kill(),
  });
  if (!run.isLoaded) await countFailedLoad(call, run.ending);
  return run;
}

function reportsTo({ attempt, logs, modelRequests, gate, answers }: AgentCall) {
  const { context, turn } = attempt;
  return {
    onConnection: logEgress(context, turn, logs),
    onModelRequest: (request) => modelRequests.add(request),
    modelGate: () => gate,
    findJournal: answers.findJournal,
  } satisfies SandboxReports;
}

/** Resolves to undefined if the agent failed before it was called. */
async function runInPooledSandbox(
  call: AgentCall,
  { pooled, started }: ServingSandbox,
  canKeep: boolean,
): Promise<RunResult | undefined> {
  const { context, turn, turnDir, lease, watch } = call.attempt;
  const { sandbox } = started;
  const { signal } = lease;
  started.assignTo({
    ...reportsTo(call),
    onImportOutput: (output) => showImportOutput(output, turn.scrubber, call.logs),
  });
  const canRest = canKeep && sandbox.rest !== undefined;
  async function mountFiles(): Promise<void> {
    // A directory that is mounted before the guest runs cannot be unmounted at the end of the turn.
    const isRunning = !canRest || (await waitForGuest(sandbox.channel, signal));
    // If the turn was stopped, do not wait for an agent that loads slowly.
    if (signal.aborted) return;
    if (!isRunning) throw new MountError("the guest does not run");
    await sandbox.claim(turnDir).catch((cause: unknown) => {
      throw new MountError("the turn's directory cannot be mounted", { cause });
    });
    watch.lap("claim_ms");
  }
  try {
    const { isAgentLoaded, end } = pooled;
    const run = await runInSandbox(call, { sandbox, isAgentLoaded, canRest, mountFiles, end });
    if (call.gate?.reached === undefined && lostItsReport(run, started))
      throw new Error("the template of the agent's sandbox does not answer");
    if (run.isLoaded) return run;
  } catch (error) {
    if (!(error instanceof MountError)) throw error;
    context.log.error({ err: error.cause, attempt: turn.attemptId }, "warm.claim_failed");
  }
  return undefined;
}

/**
 * Returns whether the agent's process has ended and a template that is stuck did not report how. Then the end is not
 * the agent's fault, as far as is known.
 */
function lostItsReport({ ending, exceeded }: RunResult, { isFit }: ServingSandbox["started"]): boolean {
  return ending.kind === "failed" && ending.lacksExit === true && exceeded === undefined && isFit?.() === false;
}

/** The turn's files could not be mounted into a running sandbox. */
class MountError extends Error {
  override readonly name = "MountError";
}

/** A started sandbox, and what a turn does with it. */
interface RunningSandbox {
  readonly sandbox: Sandbox;
  /** Whether the agent loads without the turn's files. Otherwise the files are mounted before the agent loads. */
  readonly isAgentLoaded: boolean;
  /** Whether the sandbox may be kept for the session's next turn. */
  readonly canRest: boolean;
  mountFiles(): Promise<void>;
  /** Ends the sandbox. Resolves when all its processes are dead. */
  end(): Promise<void>;
}

async function runInSandbox(call: AgentCall, running: RunningSandbox): Promise<RunResult> {
  const { logs, previews, attempt, gate } = call;
  const { context, turn, watch } = attempt;
  const { sandbox } = running;
  const captured = captureLogs({
    stdout: sandbox.stdout,
    stderr: sandbox.stderr,
    maxBytes: limits.logBytesPerAttempt,
    scrub: () => turn.scrubber.stream(),
    onText(stream, text) {
      logs.add(stream, text);
      previews.log(stream, text);
    },
  });
  let ending: TurnEnding | undefined;
  let isCalled = false;
  let isResting = false;
  let endedWithBytes: number | undefined;
  const untrack = attempt.place.track({
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
  const unlisten = gate?.onReached(() => void running.end().catch(() => {}));
  const filesMounted = running.mountFiles();
  try {
    // The guest reads its turn while the files are being mounted. The agent is called once the files are mounted.
    if (running.isAgentLoaded) filesMounted.catch(() => {});
    else await filesMounted;
    ending = await callAgent(call, sandbox, {
      filesMounted,
      canRest: running.canRest,
      onCall() {
        isCalled = true;
        attempt.place.started();
      },
      stderrTail: () => captured.tail("stderr"),
    });
  } finally {
    await filesMounted.catch(() => {});
    watch.lap("agent_ms");
    isResting = running.canRest && ending?.kind === "completed" && (await tryToRest(call, sandbox, ending.kept));
    try {
      if (!isResting) await running.end();
    } finally {
      untrack();
      unlisten?.();
    }
    watch.lap("kill_ms");
  }
  await (isResting ? captured.leave() : captured.done);
  captured.showRest({ isCut: isCut(ending) });
  if (ending.kind === "failed") logUnreachableHosts(context, turn, logs, captured.tail("stderr"));
  const usage = await sandbox.collect();
  if (usage.exceeded === "memory") {
    const isMachine = wasEndedByMachine(usage, limitsOf(context.settings, turn));
    endedWithBytes = isMachine ? (endedWithBytes ?? usage.peakMemoryBytes) : undefined;
  }
  // The agent's code is not at fault, and must not be started again at once.
  const isEnded = endedWithBytes !== undefined || gate?.reached !== undefined;
  if (isEnded && !isCalled) await countFailedLoad(call, ending);
  const isLoaded = isCalled || ending.kind !== "failed" || isEnded;
  return { ending, isLoaded, isResting, exceeded: usage.exceeded, endedWithBytes };
}

/** Stops the sandbox for the session's next turn. If that is not possible, writes the reason to the attempt's log. */
async function tryToRest({ logs }: AgentCall, sandbox: Sandbox, kept?: number): Promise<boolean> {
  const why = await sandbox.rest!(kept).catch((error: unknown) => String(error));
  if (why !== undefined) logs.add("platform", `this process is not kept for the session's next turn: ${why}\n`);
  return why === undefined;
}

/** Counts the attempt if the agent failed while it loaded: that is a failure of the agent's code. */
async function countFailedLoad({ attempt }: AgentCall, ending: TurnEnding): Promise<void> {
  const { context, turn, lease } = attempt;
  if (ending.kind !== "failed" || ending.failure.code === "internal_error") return;
  // The database does not count an attempt again that was counted at the call.
  await retryThroughOutage(context, () => countAttempt(context.db, turn), lease.signal);
}

function endingOf({ attempt, logs, gate, partialText }: AgentCall, run: RunResult): AgentEnding {
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
      return { kind: "stopped", partialParts: partialText.parts(), ...said };
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
