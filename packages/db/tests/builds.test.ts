// Builds: their claims, what waits for them, and which version becomes active.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { newId } from "@dari/domain";
import { sql } from "kysely";
import { builds, dispatch, findViolations } from "../src/index.ts";
import { openScene, type Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene({ building: true });
});
afterAll(async () => {
  expect(await findViolations(scene.db)).toEqual([]);
  await scene.close();
});

async function publish(number: number): Promise<string> {
  const id = newId("version");
  await sql`insert into versions (id, organization_id, agent_id, number, source_snapshot_id, manifest)
    select ${id}, organization_id, agent_id, ${number}, source_snapshot_id, manifest
    from versions where id = ${scene.versionId}`.execute(scene.db.kysely);
  return id;
}

async function activeVersion(): Promise<string | null> {
  const row = await sql<{ id: string | null }>`select a.active_version_id as id from agents a
    join versions v on v.agent_id = a.id where v.id = ${scene.versionId}`.execute(scene.db.kysely);
  return row.rows[0]?.id ?? null;
}

const image = { digest: "x" };

describe("a build", () => {
  test("is claimed once, taken over when its lease has expired, and recorded only by its holder", async () => {
    const first = await builds.claimBuildIfAny(scene.db, "w1", { leaseMs: 0, lossesMax: 3 });
    const second = await builds.claimBuildIfAny(scene.db, "w2", { leaseMs: 60_000, lossesMax: 3 });
    if (first === undefined || second === undefined) throw new Error("nothing to build");
    expect(second.versionId).toBe(first.versionId);
    expect(await builds.claimBuildIfAny(scene.db, "w3", { leaseMs: 60_000, lossesMax: 3 })).toBeUndefined();
    expect(await builds.renewBuildIfHeld(scene.db, first, 60_000)).toBe(false);
    expect(await builds.finishBuildIfHeld(scene.db, first, { image, warnings: [] })).toBe(false);
    expect(await builds.finishBuildIfHeld(scene.db, second, { image, warnings: [] })).toBe(true);
    expect(await activeVersion()).toBe(second.versionId);
  });

  test("of an excluded organization waits, and is claimed by a worker that excludes none", async () => {
    const version = await publish(9);
    const { organizationId } = await builds.getBuildJob(scene.db, version);
    const lease = { leaseMs: 60_000, lossesMax: 3 };
    expect(await builds.claimBuildIfAny(scene.db, "w1", { ...lease, except: [organizationId] })).toBeUndefined();
    const claim = await builds.claimBuildIfAny(scene.db, "w1", { ...lease, except: ["org_other"] });
    expect(claim?.versionId).toBe(version);
    const failure = { code: "build_failed", message: "as asked" } as const;
    if (claim !== undefined) await builds.finishBuildIfHeld(scene.db, claim, { failure, warnings: [] });
  });

  test("activates forward only, whichever build ends first", async () => {
    const older = await publish(2);
    const newer = await publish(3);
    const claims = [
      await builds.claimBuildIfAny(scene.db, "w", { leaseMs: 60_000, lossesMax: 3 }),
      await builds.claimBuildIfAny(scene.db, "w", { leaseMs: 60_000, lossesMax: 3 }),
    ];
    const claimOf = (id: string) => claims.find((claim) => claim?.versionId === id) ?? { versionId: id, fence: -1 };
    await builds.finishBuildIfHeld(scene.db, claimOf(newer), { image, warnings: [] });
    expect(await activeVersion()).toBe(newer);
    await builds.finishBuildIfHeld(scene.db, claimOf(older), { image, warnings: [] });
    expect(await activeVersion()).toBe(newer);
  });

  test("that ends after a person chose a version leaves the choice unchanged", async () => {
    const late = await publish(4);
    await sql`update agents set active_version_id = ${scene.versionId}, activation_floor = 4
      where id = (select agent_id from versions where id = ${late})`.execute(scene.db.kysely);
    const claim = await builds.claimBuildIfAny(scene.db, "w", { leaseMs: 60_000, lossesMax: 3 });
    if (claim === undefined) throw new Error("nothing to build");
    await builds.finishBuildIfHeld(scene.db, claim, { image, warnings: [] });
    expect(await activeVersion()).toBe(scene.versionId);
  });
});

test("messages wait for a build and fail with it", async () => {
  const own = await openScene({ building: true });
  const session = await own.session();
  const first = await own.send(session);
  const second = await own.send(session);
  expect(await own.row(session)).toMatchObject({ schedule: "blocked", pending: 2 });
  expect(await dispatch.settleBuildWaiters(own.db, { sessions: 10, messages: 100 })).toEqual([]);
  const claim = await builds.claimBuildIfAny(own.db, "w", { leaseMs: 60_000, lossesMax: 3 });
  if (claim === undefined) throw new Error("nothing to build");
  const failure = { code: "build_failed", message: "npm ci failed" } as const;
  await builds.finishBuildIfHeld(own.db, claim, { failure, warnings: [] });
  await dispatch.settleBuildWaiters(own.db, { sessions: 10, messages: 100 });
  for (const message of [first, second]) {
    expect(await own.message(message)).toMatchObject({
      state: "failed",
      output: { error: { code: "build_failed", message: "npm ci failed" } },
    });
  }
  expect(await own.row(session)).toMatchObject({ schedule: "idle", pending: 0 });
  expect(await findViolations(own.db)).toEqual([]);
  await own.close();
});

test("a build that loses its worker each time fails after a limit, a released build does not", async () => {
  const own = await openScene({ building: true });
  const session = await own.session();
  const message = await own.send(session);
  const released = await builds.claimBuildIfAny(own.db, "w", { leaseMs: 60_000, lossesMax: 2 });
  if (released === undefined) throw new Error("nothing to build");
  await builds.releaseBuildIfHeld(own.db, released);
  for (let i = 0; i < 3; i++) {
    expect(await builds.failLostBuilds(own.db, 2)).toBe(0);
    expect(await builds.claimBuildIfAny(own.db, "dying", { leaseMs: 0, lossesMax: 2 })).toBeDefined();
  }
  expect(await builds.claimBuildIfAny(own.db, "w", { leaseMs: 60_000, lossesMax: 2 })).toBeUndefined();
  expect(await builds.failLostBuilds(own.db, 2)).toBe(1);
  await dispatch.settleBuildWaiters(own.db, { sessions: 10, messages: 100 });
  expect(await own.message(message)).toMatchObject({ state: "failed", output: { error: { code: "build_failed" } } });
  await own.close();
});

test("a long backlog behind a failed build is settled in bounded steps", async () => {
  const own = await openScene({ building: true });
  const session = await own.session();
  for (let i = 0; i < 5; i++) await own.send(session);
  const claim = await builds.claimBuildIfAny(own.db, "w", { leaseMs: 60_000, lossesMax: 3 });
  if (claim === undefined) throw new Error("nothing to build");
  await builds.finishBuildIfHeld(own.db, claim, { failure: { code: "build_failed", message: "no" }, warnings: [] });
  await dispatch.settleBuildWaiters(own.db, { sessions: 10, messages: 2 });
  expect(await own.row(session)).toMatchObject({ schedule: "blocked", pending: 3 });
  await dispatch.settleBuildWaiters(own.db, { sessions: 10, messages: 2 });
  await dispatch.settleBuildWaiters(own.db, { sessions: 10, messages: 2 });
  expect(await own.row(session)).toMatchObject({ schedule: "idle", pending: 0 });
  expect((await own.eventTypes(session)).at(-1)).toBe("session.status_changed");
  expect(await findViolations(own.db)).toEqual([]);
  await own.close();
});
