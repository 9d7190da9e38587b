// The handshake of releases: a worker's row says its release, and the schema says the lowest that may claim.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { lowestRelease, newId, release } from "@dari/domain";
import { createTestAgent, createTestSourceSnapshot, testWorker } from "@dari/testkit";
import { builds, turns, versions, workers } from "../src/index.ts";
import { openScene, type Scene } from "./scene.ts";

let scene: Scene;
beforeEach(async () => {
  scene = await openScene();
});
afterEach(() => scene.close());

/** Returns what a worker of this release gets for a job, by a pull, and from the queue of builds. */
async function claimAll(of: number): Promise<{ job: string; pulls: boolean; builds: boolean }> {
  const { organizationId } = scene;
  const worker = testWorker({ release: of });
  expect(await workers.upsertWorkerSeen(scene.db, worker)).toEqual({ lowestRelease });
  const claimant = { workerId: worker.id, leaseMs: 60_000, guarantees: {} };
  const [one, other] = [await scene.session(), await scene.session()];
  await scene.send(one);
  const dispatchNumber = await scene.dispatchOnly(one);
  const job = await turns.claimIfDispatched(scene.db, { sessionId: one, dispatchNumber }, newId("attempt"), claimant);
  await scene.send(other);
  await scene.dispatchOnly(other);
  const pulled = await turns.claimNextIfAny(scene.db, newId("attempt"), claimant);
  const { agentId } = await createTestAgent(scene.db, organizationId);
  const sourceSnapshotId = await createTestSourceSnapshot(scene.db, organizationId);
  const version = { id: newId("version"), organizationId, agentId, sourceSnapshotId, manifest: {}, warnings: [] };
  await versions.insertVersionIfAgentLive(scene.db, version);
  const built = await builds.claimBuildIfAny(scene.db, worker.id, { leaseMs: 60_000, lossesMax: 3 });
  return { job: job.outcome, pulls: pulled !== undefined, builds: built !== undefined };
}

test.each([release, lowestRelease])("a worker of release %i claims turns and builds", async (of) => {
  expect(await claimAll(of)).toEqual({ job: "claimed", pulls: true, builds: true });
});

test("a worker of an older release claims nothing", async () => {
  expect(await claimAll(lowestRelease - 1)).toEqual({ job: "outdated", pulls: false, builds: false });
});
