// Runs a turn's agent in a sandbox: one of the pool, or a new one.

import { retryThroughOutage } from "@dari/control/context";
import { countAttempt } from "@dari/control/turns";
import { failure, limits, type Failure } from "@dari/domain";
import {
  captureLogs,
  waitForGuest,
  type AskedInput,
  type OutputPart,
  type TurnEnding,
  type Usage,
} from "@dari/harness";
import type { Exceeded, Sandbox } from "@dari/sandbox";
import { agentRecipe, showImportOutput, startAgent, type ServingSandbox } from "@dari/sandbox-pool";
import type { RestoredAttempt } from "../attempt.ts";
import { callAgent, type AgentCall } from "./call-agent.ts";
import { createTextCollector } from "./collect-text.ts";
import { toExceededFailure } from "./exceeded-failure.ts";
import { logEgress } from "./log-egress.ts";
import { logUnreachableHosts } from "./log-unreachable-hosts.ts";
import { startLogRecorder } from "./record-logs.ts";
import { scrubStack } from "./scrub-turn.ts";
import { startPreviewSender } from "./send-previews.ts";

export type AgentEnding =
  | {
      readonly kind: "completed";
      readonly parts: readonly OutputPart[];
      readonly usage: Usage | undefined;
      /** Connections that were refused or failed. */
      readonly lostConnections: readonly string[];
    }
  | { readonly kind: "failed"; readonly failure: Failure; readonly usage?: Usage }
  | { readonly kind: "suspended"; readonly asked: AskedInput; readonly usage?: Usage }
  /** Cancelled, superseded or released: the lease's signal says which. `said`: the agent's output so far. */
  | { readonly kind: "stopped"; readonly said: readonly OutputPart[]; readonly usage?: Usage };

/** When it returns, no process of the agent runs: it is dead, or stopped without access to the turn's files. */
export async function runAgent(attempt: RestoredAttempt, imageDir: string): Promise<AgentEnding> {
  const { context, turn, lease } = attempt;
  if (lease.signal.aborted) return { kind: "stopped", said: [] };
  const logs = startLogRecorder(context, turn);
  const previews = startPreviewSender(context.previews, turn);
  const said = createTextCollector(turn.scrubber.stream(), (text) => previews.delta(text));
  const call: AgentCall = { attempt, logs, previews, said };
  try {
    const run = await runSomewhere(call, imageDir);
    said.end();
    return endingOf(call, run);
  } finally {
    // Nothing of an attempt is shown after its end is recorded.
    previews.flush();
    logs.stop();
    await logs.flush();
  }
}

/** How a run in a sandbox ended. */
interface RunResult {
  readonly ending: TurnEnding;
  readonly exceeded: Exceeded | undefined;
  /** False if the agent failed before it was called. */
  readonly isLoaded: boolean;
  /** Whether the sandbox is alive and at rest, for the session's next turn. */
  readonly isResting: boolean;
}

async function runSomewhere(call: AgentCall, imageDir: string): Promise<RunResult> {
  const { attempt } = call;
  const { context, turn } = attempt;
  const { pool } = context;
  if (pool === undefined) return await runInOwn(call, imageDir);
  const recipe = agentRecipe(context, turn);
  const serving = await pool.beginTurn(recipe, attempt.lease.signal);
  let isPreloadable = true;
  try {
    const pooled = serving && (await runInPooled(call, serving, recipe.session !== undefined));
    // The failure may come from preloading, so the agent is started again for this turn alone.
    const run = pooled ?? (await runInOwn(call, imageDir));
    isPreloadable = run.isLoaded && (serving === undefined) === (pooled === undefined);
    if (pooled?.isResting === true) attempt.kept = pool.keep(serving!, turn);
    return run;
  } finally {
    pool.endTurn(recipe, { isPreloadable });
  }
}

async function runInOwn(call: AgentCall, imageDir: string): Promise<RunResult> {
  const { context, turn, turnDir } = call.attempt;
  const onConnection = logEgress(context, turn, call.logs);
  const sandbox = await startAgent(context, turn, { imageDir, slotDir: turnDir, onConnection });
  const run = await runIn(call, {
    sandbox,
    isAgentLoaded: false,
    canRest: false,
    mountFiles: () => sandbox.claim(),
    end: () => sandbox.kill(),
  });
  if (!run.isLoaded) await countFailedLoad(call, run.ending);
  return run;
}

/** Resolves to undefined if the agent failed before it was called. */
async function runInPooled(
  call: AgentCall,
  { pooled, started }: ServingSandbox,
  servesSession: boolean,
): Promise<RunResult | undefined> {
  const { context, turn, turnDir, lease, watch } = call.attempt;
  const { sandbox } = started;
  const { signal } = lease;
  started.assignTo({
    onConnection: logEgress(context, turn, call.logs),
    onImportOutput: (output) => showImportOutput(output, turn.scrubber, call.logs),
  });
  const canRest = servesSession && sandbox.rest !== undefined;
  async function mountFiles(): Promise<void> {
    // A directory that is mounted before the guest runs cannot be unmounted at the end of the turn.
    const isRunning = !canRest || (await waitForGuest(sandbox.channel, signal));
    // A stopped turn does not wait for an agent that loads slowly.
    if (signal.aborted) return;
    if (!isRunning) throw new MountError("the guest does not run");
    await sandbox.claim(turnDir).catch((cause: unknown) => {
      throw new MountError("the turn's directory cannot be mounted", { cause });
    });
    watch.lap("claim_ms");
  }
  try {
    const { isAgentLoaded, end } = pooled;
    const run = await runIn(call, { sandbox, isAgentLoaded, canRest, mountFiles, end });
    if (run.isLoaded) return run;
  } catch (error) {
    if (!(error instanceof MountError)) throw error;
    context.log.error({ err: error.cause, attempt: turn.attemptId }, "warm.claim_failed");
  }
  return undefined;
}

/** The turn's files could not be mounted into a running sandbox. */
class MountError extends Error {
  override readonly name = "MountError";
}

/** A started sandbox, as a turn uses it. */
interface RunningSandbox {
  readonly sandbox: Sandbox;
  /** Whether the agent loads without the turn's files. Otherwise they are mounted before it loads. */
  readonly isAgentLoaded: boolean;
  /** Whether it may be kept for the session's next turn. */
  readonly canRest: boolean;
  mountFiles(): Promise<void>;
  /** Resolves when all its processes are dead. */
  end(): Promise<void>;
}

async function runIn(call: AgentCall, running: RunningSandbox): Promise<RunResult> {
  const { logs, previews, attempt } = call;
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
  const filesMounted = running.mountFiles();
  try {
    // The guest reads its turn while the files are being mounted. The agent is called once they are mounted.
    if (running.isAgentLoaded) filesMounted.catch(() => {});
    else await filesMounted;
    ending = await callAgent(call, sandbox, {
      filesMounted,
      canRest: running.canRest,
      onCall: () => void (isCalled = true),
      stderrTail: () => captured.tail("stderr"),
    });
  } finally {
    await filesMounted.catch(() => {});
    watch.lap("agent_ms");
    isResting = running.canRest && ending?.kind === "completed" && (await bringToRest(call, sandbox, ending.kept));
    if (!isResting) await running.end();
    watch.lap("kill_ms");
  }
  await (isResting ? captured.leave() : captured.done);
  if (ending.kind === "failed") logUnreachableHosts(context, turn, logs, captured.tail("stderr"));
  const isLoaded = isCalled || ending.kind !== "failed";
  return { ending, isLoaded, isResting, exceeded: (await sandbox.collect()).exceeded };
}

/** If the sandbox cannot be kept, tells the agent's author why. */
async function bringToRest({ logs }: AgentCall, sandbox: Sandbox, kept?: number): Promise<boolean> {
  const why = await sandbox.rest!(kept).catch((error: unknown) => String(error));
  if (why !== undefined) logs.add("platform", `this process does not serve the session's next turn: ${why}\n`);
  return why === undefined;
}

/** Code that fails while it loads is the agent's failure, and counts as an attempt. */
async function countFailedLoad({ attempt }: AgentCall, ending: TurnEnding): Promise<void> {
  const { context, turn, lease } = attempt;
  if (ending.kind !== "failed" || ending.failure.code === "internal_error") return;
  // An attempt that was counted at the call is not counted again.
  await retryThroughOutage(context, () => countAttempt(context.db, turn), lease.signal);
}

function endingOf({ attempt, logs, said }: AgentCall, { ending: unscrubbed, exceeded }: RunResult): AgentEnding {
  const ending = scrubStack(attempt.turn.scrubber, unscrubbed);
  const used = ending.usage === undefined ? {} : { usage: ending.usage };
  switch (ending.kind) {
    case "completed": {
      const { parts, usage } = ending;
      return { kind: "completed", parts, usage, lostConnections: logs.lostConnections() };
    }
    case "suspended":
      return ending;
    case "timeout":
      return { kind: "failed", failure: timeout(attempt.turn.manifest.runtime.timeout_seconds), ...used };
    case "cancelled":
      return { kind: "stopped", said: said.parts(), ...used };
    case "failed": {
      const { stack } = ending;
      if (stack !== undefined) logs.add("platform", `${stack}\n`);
      const cause =
        exceeded === undefined ? ending.failure : toExceededFailure(exceeded, attempt.context.settings.limits);
      return { kind: "failed", failure: cause, ...used };
    }
  }
}

function timeout(seconds: number): Failure {
  return failure(
    "timeout",
    `the agent exceeded its time limit (${seconds} s); raise runtime.timeout_seconds in dari.yml`,
  );
}
