// One turn from its claim to its end: the journey of docs/ARCHITECTURE.md, one step per line. Every step that can be
// lost leaves either nothing or an unreferenced object; the lease's expiry tells the reaper.

import { retryThroughOutage } from "@dari/control/context";
import { openWorkspace, saveWorkspace, type OpenedWorkspace, type SavedWorkspace } from "@dari/control/storage";
import { finishTurn, loadTurn, recordLogs, refuseAsked, type Turn } from "@dari/control/turns";
import type { ClaimedTurn, FinishInput, FinishResult } from "@dari/db";
import { failure, limits } from "@dari/domain";
import type { OutputPart } from "@dari/harness";
import { resolvePath, takeBackFiles, type LentFiles, type Tree } from "@dari/workspace";
import { classifyFailure } from "./classify-failure.ts";
import type { WorkerContext } from "./context.ts";
import { endingOfFailure, stopInput } from "./endings.ts";
import type { HeldLease } from "./lease-keeper.ts";
import { lendBundleFiles } from "./steps/lend-bundle-files.ts";
import { runAgent, type AgentEnding } from "./steps/run-agent.ts";
import { ignoredLine, scrubbedLogger, scrubEnding } from "./steps/scrub-turn.ts";
import { startStopwatch, type Stopwatch } from "./stopwatch.ts";
import type { Rested } from "@dari/sandbox-pool";

/** Paths named in the log. */
const ignoredShownMax = 100;

export interface TurnResult extends FinishResult {
  /** Why it failed, for operators; empty when it did not. */
  readonly reason: string;
  /** Milliseconds until the next attempt, where there is one. */
  readonly waitMs: number;
}

export interface ExecutedTurn {
  /** What was recorded; undefined when the claim was superseded and nothing was. */
  readonly result: TurnResult | undefined;
  /** When its disk has been given back. Nobody but the next turn of this slot waits for that; never rejects. */
  readonly left: Promise<void>;
}

/** Rejects when nothing could be recorded; its disk has been given back by then. */
export async function executeTurn(
  worker: WorkerContext,
  claimed: ClaimedTurn,
  lease: HeldLease,
): Promise<ExecutedTurn> {
  // From when the turn's secrets are known, nothing that is logged holds them.
  let context = worker;
  const watch = startStopwatch();
  let turn: Turn | undefined;
  const held: HeldDisk = {};
  try {
    let input: FinishInput;
    try {
      // Whoever watches the session sees that its message runs.
      context.notifier.notify("session", claimed.sessionId);
      turn = await loadTurn(context, claimed);
      context = { ...worker, log: scrubbedLogger(worker.log, turn.scrubber) };
      input = await carryOut(context, turn, held, lease, watch);
    } catch (error) {
      context.log.error({ err: error, session: claimed.sessionId, message: claimed.messageId }, "turn.step_failed");
      input = stopInput(context, claimed, lease) ?? endingOfFailure(context, claimed, classifyFailure(error));
    }
    const result = await finish(context, claimed, turn, input, watch);
    held.isCommitted = result?.recorded === "completed" || result?.recorded === "suspended";
    if (result?.recorded === "completed" && held.saved !== undefined) held.rested?.keep(held.saved.snapshot.id);
    return { result, left: leaveDisk(context, claimed, held) };
  } catch (error) {
    await leaveDisk(context, claimed, held);
    throw error;
  }
}

/** The turn's disk, and what was saved of it: kept for the session's next turn if this one completes or waits. */
interface HeldDisk {
  slotDir?: string;
  opened?: OpenedWorkspace;
  /** Files of the bundle that it shows, and that are not the session's. */
  lent?: LentFiles;
  saved?: SavedWorkspace;
  isCommitted?: boolean;
  /** Its sandbox, where that may serve the session's next turn: kept if this one completes. */
  rested?: Rested;
}

/** Never rejects. */
async function leaveDisk(
  context: WorkerContext,
  claimed: ClaimedTurn,
  { slotDir, opened, saved, isCommitted = false, rested }: HeldDisk,
): Promise<void> {
  rested?.discard();
  const attempt = claimed.attemptId;
  const leaving = isCommitted && saved !== undefined ? opened?.disk.keep(saved.tree) : opened?.disk.close();
  await leaving?.catch((error: unknown) => context.log.warn({ err: error, attempt }, "turn.disk_not_kept"));
  if (slotDir === undefined) return;
  await context.slots.giveBack(slotDir).catch((error: unknown) => {
    context.log.warn({ err: error, attempt }, "turn.directory_left");
  });
}

/** From the loaded turn to what is to be recorded of it. */
async function carryOut(
  context: WorkerContext,
  turn: Turn,
  held: HeldDisk,
  lease: HeldLease,
  watch: Stopwatch,
): Promise<FinishInput> {
  if (turn.missingSecrets.length > 0) return missingSecrets(turn);
  if (turn.secretBytes > limits.turnSecretBytes) return tooManySecrets(turn);
  if (turn.keptSecrets.length > 0 && context.guarantees.network !== "enforced") return cannotKeep(context, turn);
  const keptHosts = new Set(turn.keptSecrets.flatMap(({ hosts }) => hosts)).size;
  if (keptHosts > limits.turnKeptHostsMax) return tooManyHosts(keptHosts);
  if (turn.cancelRequested) return { ending: "cancelled" };
  const stop = stopInput(context, turn, lease);
  if (stop !== undefined) return stop;
  const image = await context.images.ensure(turn.image);
  try {
    watch.lap("image_ms");
    const slotDir = (held.slotDir = context.slots.take());
    const opened = (held.opened = await openWorkspace(context.workspaces, turn, slotDir));
    if (opened.restoredFrom !== undefined) {
      const { sessionId: session, headSnapshotId: head } = turn;
      context.log.error({ session, head, restored: opened.restoredFrom }, "workspace.restored_from_older");
    }
    held.lent = await lendBundleFiles(context, turn.organizationId, image.dir, slotDir);
    watch.lap("restore_ms");
    const onRested = (rested: Rested): void => void (held.rested = rested);
    const run = { turn, opened, imageDir: image.dir, slotDir, signal: lease.signal, watch, onRested };
    const ending = await runAgent(context, run);
    return await settle(context, turn, held, opened, ending, lease, watch);
  } finally {
    image.release();
  }
}

/** The agent's ending and what it left on the disk, as what is recorded. */
async function settle(
  context: WorkerContext,
  turn: Turn,
  held: HeldDisk,
  opened: OpenedWorkspace,
  ending: AgentEnding,
  lease: HeldLease,
  watch: Stopwatch,
): Promise<FinishInput> {
  if (ending.kind === "stopped") {
    return { ...stoppedInput(context, turn, lease), ...usedBy(ending, ending.said) };
  }
  const saving = save(context, turn, held, opened, lease);
  const cause = ending.kind === "suspended" ? refuseAsked(turn, ending.asked) : undefined;
  if (ending.kind === "failed" || cause !== undefined) {
    // Why the attempt failed is what counts; what it left behind is kept where that works out.
    const side = await saving.catch((error: unknown) => {
      context.log.warn({ err: error, attempt: turn.attemptId }, "turn.side_snapshot_lost");
      return undefined;
    });
    const failed = ending.kind === "failed" ? ending.failure : cause!;
    return { ...endingOfFailure(context, turn, failed), snapshot: side?.snapshot, ...usedBy(ending) };
  }
  const saved = await Promise.race([saving, stopped(lease)]);
  // Nobody waits for a save that is given up; its object stays unreferenced.
  saving.catch(() => undefined);
  watch.lap("save_ms");
  if (saved === undefined) return { ...stoppedInput(context, turn, lease), ...usedBy(ending) };
  await noteIgnored(context, turn, saved, lease);
  const keep = (): void => {
    held.saved = saved;
    opened.disk.announce(saved.tree);
    context.workspaces.trees.remember(saved.snapshot.id, { tree: saved.tree, deltaDepth: saved.snapshot.deltaDepth });
  };
  if (ending.kind === "suspended") {
    keep();
    const asked = { ...ending.asked, placed: opened.placed };
    return { ending: "suspended", asked, snapshot: saved.snapshot, ...usedBy(ending) };
  }
  const missing = ending.parts.find((part) => part.type === "file" && !hasFile(saved.tree, part.path));
  if (missing?.type === "file") {
    const reason = failure("invalid_output", `the result names ${missing.path}, which is not a file of the workspace`);
    return { ...endingOfFailure(context, turn, reason), snapshot: saved.snapshot, ...usedBy(ending) };
  }
  keep();
  return {
    ending: "completed",
    output: { parts: ending.parts, usage: ending.usage, ...notesOf(ending, saved) },
    filesChanged: saved.filesChanged,
    snapshot: saved.snapshot,
  };
}

/** What may explain an answer that has nothing in it. */
function notesOf(
  { parts, lostConnections }: Extract<AgentEnding, { kind: "completed" }>,
  { filesChanged }: SavedWorkspace,
): { notes?: readonly string[] } {
  const saysSomething = parts.some((part) => part.type === "file" || part.text.trim() !== "");
  if (saysSomething || filesChanged.length > 0) return {};
  return { notes: ["the agent answered without text and changed no file", ...lostConnections] };
}

async function save(
  context: WorkerContext,
  turn: Turn,
  { lent }: HeldDisk,
  opened: OpenedWorkspace,
  lease: HeldLease,
): Promise<SavedWorkspace> {
  if (lent !== undefined) await takeBackFiles(opened.dir, lent);
  return saveWorkspace({ ...context.workspaces, log: context.log }, turn, opened, lease.signal);
}

/** An attempt without an answer is charged as well. */
function usedBy({ usage }: AgentEnding, said?: readonly OutputPart[]): Pick<FinishInput, "output"> {
  return usage === undefined && said === undefined ? {} : { output: { parts: said ?? [], usage } };
}

function stoppedInput(context: WorkerContext, turn: Turn, lease: HeldLease): FinishInput {
  return stopInput(context, turn, lease) ?? { ending: "released" };
}

/** Tells the agent's author what is not kept: names that are not UTF-8, sockets, devices. */
async function noteIgnored(context: WorkerContext, turn: Turn, saved: SavedWorkspace, lease: HeldLease): Promise<void> {
  const shown = saved.ignored.slice(0, ignoredShownMax);
  const lines = shown.map((one, index) => ({
    // After everything that the turn itself has written.
    sequenceNumber: 1_000_000_000 + index,
    stream: "platform" as const,
    text: ignoredLine(turn.scrubber, one),
  }));
  await retryThroughOutage(context, () => recordLogs(context.db, turn, lines), lease.signal);
}

function stopped(lease: HeldLease): Promise<undefined> {
  return new Promise((resolve) => {
    if (lease.signal.aborted) resolve(undefined);
    else lease.signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

function hasFile(tree: Tree, clientPath: string): boolean {
  const found = resolvePath(tree, clientPath);
  return found.kind === "found" && found.entry.type === "file";
}

async function finish(
  context: WorkerContext,
  claimed: ClaimedTurn,
  turn: Turn | undefined,
  found: FinishInput,
  watch: Stopwatch,
): Promise<TurnResult | undefined> {
  const input = turn === undefined ? found : scrubEnding(turn.scrubber, found);
  const timings = { queue_ms: turn?.queuedMs ?? 0, ...watch.laps() };
  const result = await finishTurn(context, claimed, claimed.organizationId, { ...input, timings });
  watch.lap("commit_ms");
  context.log.info(
    {
      org: claimed.organizationId,
      session: claimed.sessionId,
      message: claimed.messageId,
      attempt: claimed.attemptId,
      fence: claimed.fence,
      ending: input.ending,
      recorded: result?.recorded ?? "superseded",
      code: input.failure?.code,
      ...timings,
      ...watch.laps(),
    },
    "turn.finished",
  );
  if (result === undefined) return undefined;
  // The code only: an agent's message may hold its secrets, and the queue keeps what it is told.
  const refused = input.ending === "completed" && result.recorded === "failed" ? "storage_quota" : "";
  return { ...result, reason: input.failure?.code ?? refused, waitMs: input.waitMs ?? 0 };
}

function missingSecrets(turn: Turn): FinishInput {
  const names = turn.missingSecrets.join(", ");
  return {
    ending: "failed",
    failure: failure("missing_secret", `no value for ${names}; add it with \`dari credentials add <name>\``),
  };
}

/** Where agents go out without the proxy, nobody puts the values in. */
function cannotKeep({ driver }: WorkerContext, turn: Turn): FinishInput {
  const names = turn.keptSecrets.map(({ name }) => name).join(", ");
  const reason = `${names}: kept for single hosts, which needs a sandbox with a network of its own, not ${driver.name}`;
  return { ending: "failed", failure: failure("missing_secret", `${reason}; or give agents the value (--no-hosts)`) };
}

function tooManySecrets(turn: Turn): FinishInput {
  const reason = `the secrets of a turn have at most ${limits.turnSecretBytes} bytes together, not ${turn.secretBytes}`;
  return { ending: "failed", failure: failure("missing_secret", `${reason}; give large ones as files`) };
}

function tooManyHosts(hosts: number): FinishInput {
  const reason = `the kept credentials of a turn have at most ${limits.turnKeptHostsMax} hosts together, not ${hosts}`;
  return { ending: "failed", failure: failure("missing_secret", `${reason}; name those below one as *.example.com`) };
}
