// Ends turns as a worker would, without one: for tests of what clients see of them.

import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { turns, type ClaimedTurn, type FinishInput, type TurnSnapshot } from "@dari/db";
import { newId } from "@dari/domain";
import { emptyTree, save, scan } from "@dari/workspace";
import type { TestApi } from "./api-fixture.ts";

/** Claims the head of a session that stands dispatched. */
export async function claim(api: TestApi): Promise<ClaimedTurn> {
  const turn = await turns.claimNextIfAny(api.db, newId("attempt"), {
    workerId: "wrk_test",
    leaseMs: 60_000,
    guarantees: {},
  });
  if (turn === undefined) throw new Error("nothing is dispatched");
  await turns.markCalledIfHeld(api.db, turn);
  return turn;
}

export async function finish(api: TestApi, turn: ClaimedTurn, input: FinishInput): Promise<void> {
  const result = await turns.finishIfHeld(api.db, turn, input);
  if (result?.recorded !== input.ending) throw new Error(`recorded ${result?.recorded}`);
  api.control.notifier.notify("message", turn.messageId);
}

/** Completes a turn whose workspace holds these files and links, as the session's first snapshot. */
export async function complete(
  api: TestApi,
  turn: ClaimedTurn,
  workspace: { files?: Record<string, string>; links?: Record<string, string> } = {},
): Promise<void> {
  await finish(api, turn, {
    ending: "completed",
    output: { parts: [{ type: "text", text: "done" }] },
    filesChanged: Object.entries(workspace.files ?? {}).map(([path, body]) => ({
      path: `/${path}`,
      change: "created",
      size_bytes: Buffer.byteLength(body),
    })),
    snapshot: await snapshotOf(api, workspace),
    timings: { run_ms: 3 },
  });
}

async function snapshotOf(
  api: TestApi,
  workspace: { files?: Record<string, string>; links?: Record<string, string> },
): Promise<TurnSnapshot> {
  const dir = await mkdtemp(join(tmpdir(), "dari-api-workspace-"));
  try {
    for (const root of ["workspace", "state"]) await mkdir(join(dir, root));
    for (const [path, body] of Object.entries(workspace.files ?? {})) {
      const file = join(dir, "workspace", path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, body);
    }
    for (const [path, target] of Object.entries(workspace.links ?? {}))
      await symlink(target, join(dir, "workspace", path));
    const { tree } = await scan(dir);
    const saved = await save({
      store: api.control.blobs,
      keyPrefix: "snapshots",
      dir,
      before: emptyTree,
      after: tree,
      full: true,
    });
    const { objectKey, treeHash, sizeBytes, files, totalBytes } = saved;
    return {
      id: newId("snapshot"),
      parentId: null,
      objectKey,
      isFull: true,
      deltaDepth: 0,
      treeHash,
      sizeBytes,
      files,
      totalBytes,
    };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
