// Reads what a version's build says, and waits for more while it still builds.

import type { Actor, Control } from "@dari/control/context";
import { buildLogs, versions } from "@dari/db";
import { found } from "@dari/domain";
import { waitForWake } from "./wait-for-wake.ts";

const rowsPerRead = 200;
/** Notifications may be lost, so we look this often as well. */
const pollMs = 500;

/**
 * The log as it is; with `follow` until the build has ended or `signal` aborts.
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
    // Read before the rows: what is written before a build ends is seen in the round that sees the end.
    const state = await findState(control, actor, input.versionId);
    for (;;) {
      const rows = await buildLogs.listBuildLogs(control.db, actor.organizationId, input.versionId, after, rowsPerRead);
      for (const row of rows) yield row.text;
      after = rows.at(-1)?.sequenceNumber ?? after;
      if (rows.length < rowsPerRead) break;
    }
    if (!input.follow || state !== "building" || input.signal.aborted) return;
    await waitForWake(control.notifier, "build", input.versionId, { timeoutMs: pollMs, signal: input.signal });
  }
}

async function findState(control: Control, actor: Actor, versionId: string): Promise<string> {
  return found(await versions.findVersion(control.db, actor.organizationId, versionId), "version").state;
}
