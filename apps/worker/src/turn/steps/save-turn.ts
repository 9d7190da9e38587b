// Saves what the agent left in its workspace, and decides how the turn ends.

import { retryThroughOutage } from "@dari/control/context";
import { saveWorkspace, type SavedWorkspace } from "@dari/control/storage";
import { recordLogs, checkAskedInput } from "@dari/control/turns";
import type { FinishInput } from "@dari/db";
import { failure, type Failure } from "@dari/domain";
import type { OutputPart } from "@dari/harness";
import { resolvePath, removeLentFiles, type Tree } from "@dari/workspace";
import type { AgentEnding, CalledAttempt, ConcludedAttempt, RestoredAttempt } from "../attempt.ts";
import { toFailureEnding, toStopEnding } from "../failures/choose-ending.ts";
import { renderIgnoredFile } from "../scrub/scrub-turn.ts";

/** Maximum number of ignored paths that are written to the attempt's log. */
const ignoredShownMax = 100;

/** Saves the workspace, and decides how the turn ends. */
export async function saveTurn(attempt: CalledAttempt): Promise<ConcludedAttempt> {
  const { input, saved } = await conclude(attempt, attempt.ending);
  return { attempt, input: { ...input, delivered: attempt.ending.delivered }, saved };
}

type Conclusion = Pick<ConcludedAttempt, "input" | "saved">;

async function conclude(attempt: CalledAttempt, ending: AgentEnding): Promise<Conclusion> {
  if (ending.kind === "stopped") return { input: { ...stopped(attempt), ...usageOf(ending, ending.partialParts) } };
  const saving = save(attempt);
  if (ending.kind === "failed") return await fail(attempt, ending.failure, saving);
  if (ending.kind === "limited") {
    const asked = { ...ending.asked, key: "", placed: [] };
    const { failure: cause } = ending;
    const snapshot = (await saveSide(attempt, saving))?.snapshot;
    return { input: { ending: "suspended", asked, failure: cause, snapshot, ...usageOf(ending) } };
  }
  const refused = ending.kind === "suspended" ? checkAskedInput(attempt.turn, ending.asked) : undefined;
  if (refused !== undefined) return await fail(attempt, refused, saving);
  const saved = await Promise.race([saving, resolveOnAbort(attempt.lease.signal)]);
  // If the turn was stopped, nothing waits for the save, and no row refers to the saved object.
  saving.catch(() => undefined);
  attempt.watch.lap("save_ms");
  if (saved === undefined) return { input: { ...stopped(attempt), ...usageOf(ending) } };
  await logIgnored(attempt, saved);
  const { snapshot, filesChanged } = saved;
  if (ending.kind === "suspended") {
    prepareNextTurn(attempt, saved);
    const asked = { ...ending.asked, placed: attempt.opened.placed };
    return { input: { ending: "suspended", asked, snapshot, ...usageOf(ending) }, saved };
  }
  const missing = ending.parts.find((part) => part.type === "file" && !hasFile(saved.tree, part.path));
  if (missing?.type === "file") {
    const reason = failure("invalid_output", `the result names ${missing.path}, which is not a file of the workspace`);
    return { input: { ...toFailureEnding(attempt.context, attempt.turn, reason), snapshot, ...usageOf(ending) } };
  }
  prepareNextTurn(attempt, saved);
  const output = { parts: ending.parts, usage: ending.usage, ...notesOf(ending, saved) };
  return { input: { ending: "completed", output, filesChanged, snapshot }, saved };
}

async function save({ context, turn, opened, lease, lent }: RestoredAttempt): Promise<SavedWorkspace> {
  await removeLentFiles(opened.dir, lent);
  return saveWorkspace({ ...context.workspaces, log: context.log }, turn, opened, lease.signal);
}

async function fail(attempt: CalledAttempt, cause: Failure, saving: Promise<SavedWorkspace>): Promise<Conclusion> {
  const snapshot = (await saveSide(attempt, saving))?.snapshot;
  const { context, turn, ending } = attempt;
  return { input: { ...toFailureEnding(context, turn, cause), snapshot, ...usageOf(ending) } };
}

/** Waits for the side snapshot of an attempt. If saving fails, the attempt ends without one. */
async function saveSide(
  { context, turn }: RestoredAttempt,
  saving: Promise<SavedWorkspace>,
): Promise<SavedWorkspace | undefined> {
  return saving.catch((error: unknown) => {
    context.log.warn({ err: error, attempt: turn.attemptId }, "turn.side_snapshot_lost");
    return undefined;
  });
}

/** Prepares this worker for the session's next turn, which starts from this snapshot. */
function prepareNextTurn({ context, opened }: RestoredAttempt, { tree, snapshot }: SavedWorkspace): void {
  opened.disk.announce(tree);
  context.workspaces.trees.remember(snapshot.id, { tree, deltaDepth: snapshot.deltaDepth });
}

/** Returns notes that explain an answer without content. */
function notesOf(
  { parts, lostConnections }: Extract<AgentEnding, { kind: "completed" }>,
  { filesChanged }: SavedWorkspace,
): { notes?: readonly string[] } {
  const hasContent = parts.some((part) => part.type === "file" || part.text.trim() !== "");
  if (hasContent || filesChanged.length > 0) return {};
  return { notes: ["the agent answered without text and changed no file", ...lostConnections] };
}

/** Returns the attempt's usage, which also counts if the attempt has no answer. */
function usageOf(
  { usage }: Pick<AgentEnding, "usage">,
  partialParts?: readonly OutputPart[],
): Pick<FinishInput, "output"> {
  return usage === undefined && partialParts === undefined ? {} : { output: { parts: partialParts ?? [], usage } };
}

function stopped({ context, turn, lease }: RestoredAttempt): FinishInput {
  return toStopEnding(context, turn, lease) ?? { ending: "released" };
}

/** Writes to the attempt's log which files were not saved: names that are not UTF-8, sockets, devices. */
async function logIgnored({ context, turn, lease }: RestoredAttempt, { ignored }: SavedWorkspace): Promise<void> {
  const lines = ignored.slice(0, ignoredShownMax).map((one, index) => ({
    // A number after all lines that the turn itself has written.
    sequenceNumber: 1_000_000_000 + index,
    stream: "platform" as const,
    text: renderIgnoredFile(turn.scrubber, one),
  }));
  await retryThroughOutage(context, () => recordLogs(context.db, turn, lines), lease.signal);
}

function resolveOnAbort(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

function hasFile(tree: Tree, clientPath: string): boolean {
  const found = resolvePath(tree, clientPath);
  return found.kind === "found" && found.entry.type === "file";
}
