// Concurrent builds on any workers install one set of dependencies only once.

import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { DependencyLayerRef, DependencyLayerRegistry } from "@dari/bundles";
import { type BuildContext, createDependencyLayerRegistry } from "@dari/control/publishing";
import { dependencyLayers, objects } from "@dari/db";
import { createTestDatabase, createTestOrganization, type TestDatabase } from "@dari/testkit";

let database: TestDatabase;
let organizationId: string;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  ({ organizationId } = await createTestOrganization(database.db));
});

const silent = (): void => undefined;
const layer: DependencyLayerRef = { digest: "d", objectKey: "o/layers/d" };
const never = new AbortController().signal;

/** A worker: notifications reach nobody, so that nothing but the row decides. */
function worker(organization = organizationId): DependencyLayerRegistry {
  const context: BuildContext = {
    db: database.db,
    notifier: { notify: silent, subscribe: () => silent, close: () => Promise.resolve() },
    log: { debug: silent, info: silent, warn: silent, error: silent },
  };
  return createDependencyLayerRegistry(context, organization);
}

test("builds that meet install once, and later ones find what they installed", async () => {
  let made = 0;
  const make = (): Promise<DependencyLayerRef> => {
    made += 1;
    return Promise.resolve(layer);
  };
  const all = Array.from({ length: 8 }, () => worker().obtain("k", make, never));
  expect(await Promise.all(all)).toEqual(Array(8).fill(layer));
  expect(await worker().obtain("k", make, never)).toEqual(layer);
  expect(made).toBe(1);
});

test("another organization installs its own", async () => {
  const other = await createTestOrganization(database.db);
  const own: DependencyLayerRef = { digest: "e", objectKey: "p/layers/e" };
  await worker().obtain("k", () => Promise.resolve(layer), never);
  expect(await worker(other.organizationId).obtain("k", () => Promise.resolve(own), never)).toEqual(own);
});

test("when an installation fails, a waiting build tries", async () => {
  const waiting = Promise.withResolvers<void>();
  const first = worker().obtain("k", () => waiting.promise.then(() => Promise.reject(new Error("no network"))), never);
  const claimed = async (): Promise<unknown> => {
    const place = { organizationId, key: "k", holder: "looks" };
    return dependencyLayers.claimLayerIfMissing(database.db, place, 0);
  };
  while ((await claimed()) !== "held");
  const second = worker().obtain("k", () => Promise.resolve(layer), never);
  waiting.resolve();
  await expect(first).rejects.toThrow("no network");
  expect(await second).toEqual(layer);
});

test("a builder that died is replaced, and what it still says is not heard", async () => {
  const dead = { organizationId, key: "k", holder: "dead" };
  expect(await dependencyLayers.claimLayerIfMissing(database.db, dead, 0)).toBe("claimed");
  expect(await worker().obtain("k", () => Promise.resolve(layer), never)).toEqual(layer);
  const late = { ...layer, digest: "late" };
  expect(await dependencyLayers.finishLayerIfHeld(database.db, dead, late)).toBe(false);
  expect(await dependencyLayers.renewLayerIfHeld(database.db, dead, 1_000)).toBe(false);
  expect(await worker().obtain("k", () => Promise.reject(new Error("made again")), never)).toEqual(layer);
});

test("a waiting build can be stopped", async () => {
  const held = { organizationId, key: "k", holder: "other" };
  await dependencyLayers.claimLayerIfMissing(database.db, held, 60_000);
  const stopping = new AbortController();
  const waiting = worker().obtain("k", () => Promise.resolve(layer), stopping.signal);
  stopping.abort(new Error("shutdown"));
  await expect(waiting).rejects.toThrow("shutdown");
});

test("a layer that no build requested is deleted; one that is being made stays", async () => {
  await worker().obtain("old", () => Promise.resolve(layer), never);
  await dependencyLayers.claimLayerIfMissing(database.db, { organizationId, key: "new", holder: "h" }, 60_000);
  expect(await dependencyLayers.purgeLayers(database.db, 60_000, 10)).toBe(0);
  expect(await dependencyLayers.purgeLayers(database.db, 0, 10)).toBeGreaterThan(0);
  const made = await worker().obtain("old", () => Promise.resolve({ ...layer, digest: "again" }), never);
  expect(made.digest).toBe("again");
  const claim = await dependencyLayers.claimLayerIfMissing(database.db, { organizationId, key: "new", holder: "x" }, 0);
  expect(claim).toBe("held");
});

test("the object of a layer is kept by its row, and is not named once it is being deleted", async () => {
  const objectKey = `${organizationId}/layers/d`;
  const stored = [{ key: objectKey, sizeBytes: 1 }];
  await worker().obtain("k", () => Promise.resolve({ digest: "d", objectKey }), never);
  expect(await objects.markUnreferenced(database.db, stored)).toBe(0);
  const named = await objects.listReferenced(database.db, organizationId, 10);
  expect(named).toContainEqual({ key: objectKey, what: "layer", sizeBytes: null });
  await dependencyLayers.purgeLayers(database.db, 0, 100);
  expect(await objects.markUnreferenced(database.db, stored)).toBe(1);
  expect(await objects.scheduleMarkedForDeletion(database.db, { afterMs: 0, limit: 10 })).toEqual([objectKey]);
  const again = worker().obtain("k", () => Promise.resolve({ digest: "d", objectKey }), never);
  await expect(again).rejects.toThrow("is being deleted");
});
