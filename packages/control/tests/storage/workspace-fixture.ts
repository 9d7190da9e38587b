// Turns without an agent: claimed, opened, edited by the test, saved and recorded as a worker does.

import type { BlobStore } from "@dari/blobs";
import {
  createSnapshotTrees,
  openWorkspace,
  saveWorkspace,
  type OpenedWorkspace,
  type SavedWorkspace,
  type WorkspaceContext,
} from "@dari/control/storage";
import { createSealer } from "@dari/control/tenants";
import { loadTurn, readEvents } from "@dari/control/turns";
import { messageInputs, snapshots, turns, type Database, type FinishInput } from "@dari/db";
import { failure, newId, Redacted } from "@dari/domain";
import {
  createTestAgent,
  createTestDatabase,
  createTestMessage,
  createTestOrganization,
  createTestSession,
} from "@dari/testkit";
import { openTestStore } from "@dari/testkit/store";
import { findUndescribedEvents } from "@dari/testkit/events";
import { openDisks, type Disks } from "@dari/workspace";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface WorkspaceFixture extends AsyncDisposable {
  readonly db: Database;
  readonly databaseUrl: string;
  readonly blobs: BlobStore;
  readonly organizationId: string;
  readonly agentId: string;
  readonly top: string;
  newSession(): Promise<string>;
  /** Returns a worker without cached data. */
  newWorker(kind?: "auto" | "copy"): Promise<WorkspaceContext>;
  /** Runs one turn; `edit` writes below the directory, which contains `workspace/` and `state/`. */
  turn(worker: WorkspaceContext, sessionId: string, edit: Edit, ending?: Ending): Promise<PlayedTurn>;
  /** Like `turn`, for an existing message. */
  play(worker: WorkspaceContext, messageId: string, edit: Edit, ending?: Ending): Promise<PlayedTurn>;
  /** Like `turn`, for a suspended message: answers its input and continues. */
  goOn(worker: WorkspaceContext, messageId: string, edit: Edit, ending?: Ending): Promise<PlayedTurn>;
  headOf(sessionId: string): Promise<string>;
}

export type Ending = "completed" | "failed" | "suspended";
export type Edit = (dir: string) => void | Promise<void>;

export interface PlayedTurn {
  readonly messageId: string;
  readonly opened: OpenedWorkspace;
  readonly saved: SavedWorkspace;
}

const nothing = (): void => undefined;
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** Uses a separate store, unless one is given. */
export async function openWorkspaceFixture(given?: BlobStore): Promise<WorkspaceFixture> {
  await using stack = new AsyncDisposableStack();
  const { db, url } = stack.adopt(await createTestDatabase(), (database) => database.close());
  const top = mkdtempSync(join(tmpdir(), "dari-turns-"));
  stack.defer(() => rmSync(top, { recursive: true, force: true }));
  const blobs = given ?? openTestStore(join(top, "store"));
  if (given === undefined) stack.defer(() => blobs.close());
  const { organizationId } = await createTestOrganization(db);
  const { agentId } = await createTestAgent(db, organizationId);
  const sealer = createSealer(new Redacted(randomBytes(32)));
  const opened: Disks[] = [];
  stack.defer(async () => {
    for (const disks of opened) await disks.close();
  });
  const owned = stack.move();
  let asked = 0;
  const play = async (
    worker: WorkspaceContext,
    messageId: string,
    edit: Edit,
    ending: Ending = "completed",
  ): Promise<PlayedTurn> => {
    const options = { workerId: "wrk_test", leaseMs: 60_000, guarantees: {} };
    const claimed = await turns.claimNextIfAny(db, newId("attempt"), options);
    if (claimed?.messageId !== messageId) throw new Error("another message was claimed");
    await turns.markCalledIfHeld(db, claimed);
    const turn = await loadTurn({ db, sealer }, claimed);
    const workspace = await openWorkspace(worker, turn, join(top, claimed.attemptId));
    try {
      await edit(workspace.dir);
      const saved = await saveWorkspace({ ...worker, log: silent }, turn, workspace);
      const { snapshot, filesChanged } = saved;
      const key = `k${(asked += 1)}`;
      const input = { key, schema: {}, prompt: undefined, waitSeconds: 600, placed: workspace.placed };
      const cause = ending === "failed" ? { failure: failure("agent_error") } : {};
      const finish: FinishInput = { ending, asked: input, output: { parts: [] }, snapshot, filesChanged, ...cause };
      const result = await turns.finishIfHeld(db, claimed, finish);
      if (result?.recorded !== ending) throw new Error(`recorded ${result?.recorded}`);
      if (ending !== "failed") {
        worker.trees.remember(snapshot.id, { tree: saved.tree, deltaDepth: snapshot.deltaDepth });
        await workspace.disk.keep(saved.tree);
      }
      return { messageId, opened: workspace, saved };
    } finally {
      await workspace.disk.close();
    }
  };
  return {
    db,
    databaseUrl: url,
    blobs,
    organizationId,
    agentId,
    top,
    newSession: () => createTestSession(db, organizationId, agentId),
    async newWorker(kind = "auto") {
      const disks = await openDisks({ dir: mkdtempSync(join(top, "disks-")), maxBytes: 1024 ** 3, kind });
      opened.push(disks);
      return { db, blobs, trees: createSnapshotTrees({ db, blobs }), disks };
    },
    play,
    turn: async (worker, sessionId, edit, ending) =>
      play(worker, await createTestMessage(db, organizationId, sessionId), edit, ending),
    async goOn(worker, messageId, edit, ending) {
      const answer = { organizationId, messageId, key: `k${asked}`, value: true, dispatchTtlMs: 60_000 };
      const { outcome } = await messageInputs.answerIfWaiting(db, answer);
      if (outcome !== "answered") throw new Error(`the answer was ${outcome}`);
      return play(worker, messageId, edit, ending);
    },
    async headOf(sessionId) {
      return (await snapshots.findHeadSnapshotId(db, organizationId, sessionId)) ?? "";
    },
    async [Symbol.asyncDispose]() {
      const undescribed = await findUndescribedEvents(db, readEvents);
      await owned.disposeAsync();
      assert.deepEqual(undescribed, []);
    },
  };
}
