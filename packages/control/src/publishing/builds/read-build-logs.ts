// Reads the log of a version's build, and follows it while it builds.

import type { Actor, Control } from "@dari/control/context";
import { buildLogs, versions } from "@dari/db";
import { requireFound } from "@dari/domain";
import { waitForNotification } from "./wait-for-notification.ts";

const rowsPerRead = 200;
/** Notifications can be lost, so the log is also read this often. */
const pollMs = 500;

/**
 * Returns the log so far; with `follow`, until the build has ended or `signal` aborts.
 * @throws AppError `not_found`, before the first piece.
 */
export async function readBuildLogs(
  control: Control,
  actor: Actor,
  input: { versionId: string; follow: boolean; signal: AbortSignal },
): Promise<AsyncIterable<string>> {
  await findState(control, actor, input.versionId);
  return follow(control, actor, input);
}

async function* follow(
  control: Control,
  actor: Actor,
  input: { versionId: string; follow: boolean; signal: AbortSignal },
): AsyncGenerator<string> {
  let after = 0;
  for (;;) {
    // Read the state before the rows, so that the last round sees everything written before the end.
    const state = await findState(control, actor, input.versionId);
    for (;;) {
      const rows = await buildLogs.listBuildLogs(control.db, actor.organizationId, input.versionId, after, rowsPerRead);
      for (const row of rows) yield row.text;
      after = rows.at(-1)?.sequenceNumber ?? after;
      if (rows.length < rowsPerRead) break;
    }
    if (!input.follow || state !== "building" || input.signal.aborted) return;
    await waitForNotification(control.notifier, "build", input.versionId, { timeoutMs: pollMs, signal: input.signal });
  }
}

async function findState(control: Control, actor: Actor, versionId: string): Promise<string> {
  return requireFound(await versions.findVersion(control.db, actor.organizationId, versionId), "version").state;
}
