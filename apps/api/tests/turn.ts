// Ends turns without a worker, for tests of what clients see.

import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { objects, snapshots, turns, type ClaimedTurn, type FinishInput } from "@dari/db";
import { finishTurn } from "@dari/control/turns";
import { failure, newId } from "@dari/domain";
import { diff, emptyTree, save, scan } from "@dari/workspace";
import type { TestApi } from "./api-fixture.ts";

/** Claims the head of a dispatched session. */
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
  const result = await finishTurn(api.control, turn, api.org.organizationId, input);
  if (result?.recorded !== input.ending) throw new Error(`recorded ${result?.recorded}`);
}

/** Records a tool call of the running attempt. */
export async function callTool(api: TestApi, turn: ClaimedTurn): Promise<void> {
  const data = { call_id: "call_1", name: "read", kind: "function", arguments: {} };
  await turns.appendEventsIfHeld(api.db, turn, [{ type: "tool.call_requested", data, number: 1 }]);
  api.control.notifier.notify("session", turn.sessionId);
}

/** Returns the attempts of a session's tool calls, as its events say. At least one. */
export async function attemptsWithCalls(api: TestApi, sessionId: string): Promise<string[]> {
  const { data } = (await api.call("GET", `/v1/sessions/${sessionId}/events`)).json;
  const calls = (data as { type: string; attempt_id?: string }[]).filter(({ type }) => type === "tool.call_requested");
  if (calls.length === 0) throw new Error("the session has no tool calls");
  return calls.map((event) => String(event.attempt_id));
}

/** A workspace: contents and targets by path, and modes other than 644. */
export interface TestWorkspace {
  readonly files?: Record<string, string | Uint8Array>;
  readonly links?: Record<string, string>;
  readonly modes?: Record<string, number>;
}

/** Completes a turn whose session's workspace then contains exactly these files and links. */
export async function complete(api: TestApi, turn: ClaimedTurn, workspace: TestWorkspace = {}): Promise<void> {
  await finish(api, turn, {
    ending: "completed",
    output: { parts: [{ type: "text", text: "done" }] },
    ...(await saveFor(api, turn, workspace)),
    timings: { run_ms: 3 },
  });
}

/** Fails a turn that leaves this workspace behind. */
export async function fail(api: TestApi, turn: ClaimedTurn, workspace: TestWorkspace = {}): Promise<void> {
  const saved = await saveFor(api, turn, workspace);
  await finish(api, turn, { ending: "failed", failure: failure("timeout", "the turn took too long"), ...saved });
}

/** Returns what a turn that ends with this workspace records. */
async function saveFor(
  api: TestApi,
  turn: ClaimedTurn,
  workspace: TestWorkspace,
): Promise<Required<Pick<FinishInput, "snapshot" | "filesChanged">>> {
  const { organizationId } = api.org;
  const parentId = (await snapshots.findHeadSnapshotId(api.db, organizationId, turn.sessionId)) ?? null;
  const head = await api.control.trees.load(organizationId, parentId);
  const { tree, ...saved } = await saveTree(api, organizationId, workspace);
  const filesChanged = diff(head.tree, tree)
    .filter(({ path, type }) => path.startsWith("workspace/") && type !== "directory")
    .map(({ path, change, sizeBytes }) => ({ path: path.slice("workspace".length), change, size_bytes: sizeBytes }));
  return { snapshot: { id: newId("snapshot"), parentId, isFull: true, deltaDepth: 0, ...saved }, filesChanged };
}

async function saveTree(api: TestApi, organizationId: string, workspace: TestWorkspace) {
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
    for (const [path, mode] of Object.entries(workspace.modes ?? {})) await chmod(join(dir, "workspace", path), mode);
    const { tree } = await scan(dir);
    const saved = await save({
      store: api.control.blobs,
      keyPrefix: "snapshots",
      dir,
      before: emptyTree,
      after: tree,
      full: true,
    });
    await objects.recordObjectIfReferencesKept(api.db, organizationId, saved);
    const { objectKey, treeHash, sizeBytes, files, totalBytes } = saved;
    return { tree, objectKey, treeHash, sizeBytes, files, totalBytes };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
