// Runs a turn's agent in a sandbox of the pool, or in a new sandbox.

import { waitForGuest } from "@dari/harness";
import { agentRecipe, showImportOutput, startAgent, type ServingSandbox } from "@dari/sandbox-pool";
import { concludeRun } from "../agent/conclude-run.ts";
import { countFailedLoad, runInSandbox, type RunResult } from "../agent/run-in-sandbox.ts";
import type { CalledAttempt, RestoredAttempt } from "../attempt.ts";
import { openRecorders, type TurnRecorders } from "../agent/turn-recorders.ts";

/**
 * Runs the agent. When it returns, no process of the agent runs: each one is dead, or stopped without access to the
 * turn's files.
 */
export async function runAgent(attempt: RestoredAttempt): Promise<CalledAttempt> {
  if (attempt.lease.signal.aborted) return { ...attempt, ending: { kind: "stopped", partialParts: [] } };
  await using recorders = openRecorders(attempt);
  const run = await runInAnySandbox(attempt, recorders);
  await recorders.end(run.ending);
  return { ...attempt, ending: concludeRun(attempt, recorders, run) };
}

async function runInAnySandbox(attempt: RestoredAttempt, recorders: TurnRecorders): Promise<RunResult> {
  const { context, turn, lease, cleanup } = attempt;
  const { pool } = context;
  if (pool === undefined) return await runInNewSandbox(attempt, recorders);
  const recipe = agentRecipe(context, turn);
  const serving = await pool.beginTurn(recipe, lease.signal);
  let isPreloadable = true;
  let rested: ServingSandbox | undefined;
  try {
    const pooled = serving && (await runInPooledSandbox(attempt, recorders, serving, pool.canKeep(recipe)));
    // The failure may come from preloading, so start the agent again in a new sandbox.
    const run = pooled ?? (await runInNewSandbox(attempt, recorders));
    isPreloadable = run.isLoaded && (serving === undefined) === (pooled === undefined);
    if (pooled?.isResting === true) rested = serving;
    return run;
  } finally {
    const kept = pool.endTurn(recipe, { isPreloadable, rested });
    cleanup.defer("turn.sandbox_not_kept", ({ recorded, saved }) => {
      if (recorded === "completed" && saved !== undefined) kept?.confirm(saved.snapshot.id);
      else kept?.discard();
    });
  }
}

async function runInNewSandbox(attempt: RestoredAttempt, recorders: TurnRecorders): Promise<RunResult> {
  const { context, turn, turnDir, imageDir } = attempt;
  const reports = recorders.sandboxReports();
  const sandbox = await startAgent(context, turn, { imageDir, slotDir: turnDir, reports });
  const run = await runInSandbox(attempt, recorders, {
    sandbox,
    isAgentLoaded: false,
    canRest: false,
    mountFiles: () => sandbox.claim(),
    end: () => sandbox.kill(),
  });
  if (!run.isLoaded) await countFailedLoad(attempt, run.ending);
  return run;
}

/** Resolves to undefined if the agent failed before it was called. */
async function runInPooledSandbox(
  attempt: RestoredAttempt,
  recorders: TurnRecorders,
  { pooled, started }: ServingSandbox,
  canKeep: boolean,
): Promise<RunResult | undefined> {
  const { context, turn, turnDir, lease, watch } = attempt;
  const { sandbox } = started;
  const { signal } = lease;
  started.assignTo({
    ...recorders.sandboxReports(),
    onImportOutput: (output) => showImportOutput(output, turn.scrubber, recorders.logs),
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
    const run = await runInSandbox(attempt, recorders, { sandbox, isAgentLoaded, canRest, mountFiles, end });
    if (recorders.gate?.reached === undefined && lostItsReport(run, started))
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
