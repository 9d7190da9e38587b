// Large and binary values of a running agent: stored beside its events, without secrets, within the quota, and only
// while its claim holds.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findViolations } from "@dari/control/operations";
import { sweepStore } from "@dari/control/storage";
import { claimTurn, finishTurn } from "@dari/control/turns";
import { messageValues, organizations, withinTransaction, withTransaction } from "@dari/db";
import { createScrubber, limits, newId, type Notifier } from "@dari/domain";
import { createLogger } from "@dari/runtime";
import { createTestAgent, createTestDatabase, createTestMessage, createTestOrganization } from "@dari/testkit";
import { createTestSession, waitUntil, type TestDatabase } from "@dari/testkit";
import { openTestStore } from "@dari/testkit/store";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { RestoredAttempt } from "../src/turn/attempt.ts";
import { createValueRecorder } from "../src/turn/recorders/record-values.ts";

type BlobStore = ReturnType<typeof openTestStore>;
const notifier: Notifier = { notify: () => {}, subscribe: () => () => undefined, close: () => Promise.resolve() };
const log = createLogger({ name: "record-values", level: "silent" });
const secret = "sk-0123456789abcdef";
const shown = "[redacted:KEY]";
const png = Buffer.from("89504e470d0a1a0a0000000d49484452ff", "hex");

let database: TestDatabase;
let place: { organizationId: string; agentId: string };
let blobs: BlobStore;
let dir: string;
beforeAll(async () => {
  database = await createTestDatabase();
  dir = await mkdtemp(join(tmpdir(), "dari-values-"));
  blobs = openTestStore(dir);
  await blobs.check();
  const { organizationId } = await createTestOrganization(database.db);
  const { agentId } = await createTestAgent(database.db, organizationId);
  place = { organizationId, agentId };
});
afterAll(async () => {
  expect(await findViolations(database.db)).toEqual([]);
  await blobs.close();
  await database.close();
  await rm(dir, { recursive: true, force: true });
});

/** A recorder of a claimed turn. `store` replaces methods of the object store. */
async function open(store: Partial<BlobStore> = {}) {
  const sessionId = await createTestSession(database.db, place.organizationId, place.agentId);
  await createTestMessage(database.db, place.organizationId, sessionId);
  const claimant = { workerId: newId("worker"), leaseMs: 600_000, guarantees: {} };
  const claim = await claimTurn(database.db, { sessionId, dispatchNumber: 1 }, claimant);
  if (claim.outcome !== "claimed") throw new Error(claim.outcome);
  const { turn } = claim;
  const lines: string[] = [];
  const used = Object.create(blobs, Object.getOwnPropertyDescriptors(store)) as BlobStore;
  const context = { db: database.db, log, workspaces: { blobs: used } };
  const lease = { signal: new AbortController().signal, release: () => undefined };
  const scrubbed = { ...turn, scrubber: createScrubber([["KEY", secret]]) };
  const attempt = { context, turn: scrubbed, lease } as unknown as RestoredAttempt;
  const recorder = createValueRecorder(attempt, { add: (_stream, text) => void lines.push(text) });
  const rowOf = async (id: string) =>
    (await messageValues.listValuesByIds(database.db, { ...turn, ...place, ids: [id] }))[0];
  const add = async (mediaType: string, bytes: Buffer | string, id: string = newId("value")) => {
    await recorder.add({ id, mediaType, bytes: Buffer.from(bytes) });
    return id;
  };
  return { recorder, turn, lines, rowOf, add };
}

const listObjects = async (): Promise<string[]> => {
  const found: string[] = [];
  for await (const { key } of blobs.list(`${place.organizationId}/values/`)) found.push(key);
  return found;
};

test("texts are scrubbed whole, whatever their type says, and binary values are stored as they are", async () => {
  const { recorder, rowOf, add, lines } = await open();
  const hex = Buffer.from(secret).toString("hex");
  const stored = {
    json: await add("application/json", JSON.stringify({ [secret]: [`key ${secret}`, hex] })),
    text: await add("text/plain", `a ${secret} b`),
    svg: await add("image/png", `<svg>${hex}</svg>`),
    broken: await add("application/json", `{"a": "${secret}`),
    deep: await add("application/json", "[".repeat(1_000) + "]".repeat(1_000)),
    png: await add("image/png", png),
  };
  await recorder.end();
  const found: Record<string, unknown> = {};
  for (const [name, id] of Object.entries(stored)) {
    const row = (await rowOf(id))!;
    const bytes = await blobs.read(row.objectKey);
    expect(row.sizeBytes).toBe(bytes.length);
    found[name] = [row.mediaType, name === "png" ? bytes : bytes.toString()];
  }
  expect(found).toEqual({
    json: ["application/json", JSON.stringify({ [shown]: [`key ${shown}`, shown] })],
    text: ["text/plain", `a ${shown} b`],
    svg: ["image/png", `<svg>${shown}</svg>`],
    broken: ["text/plain", `{"a": "${shown}`],
    deep: ["text/plain", "[".repeat(1_000) + "]".repeat(1_000)],
    png: ["image/png", png],
  });
  expect(lines).toEqual([]);
});

test("the agent does not wait for a slow store until many bytes wait", async () => {
  const release = Promise.withResolvers<void>();
  const { recorder, rowOf } = await open({
    put: async (key, body) => {
      await release.promise;
      return blobs.put(key, body);
    },
  });
  const most = { mediaType: "image/png", bytes: Buffer.alloc(limits.valueBytes, 0xff) };
  const ids = [newId("value"), newId("value"), newId("value")] as const;
  expect(recorder.add({ id: ids[0], ...most })).toBeUndefined();
  expect(recorder.add({ id: ids[1], ...most })).toBeUndefined();
  const waits = recorder.add({ id: ids[2], ...most });
  expect(waits).toBeInstanceOf(Promise);
  release.resolve();
  await waits;
  await recorder.end();
  for (const id of ids) expect(await rowOf(id)).toMatchObject({ sizeBytes: limits.valueBytes });
});

test("a store that fails costs the value, with a line in the log, and not the turn", async () => {
  const { recorder, rowOf, add, lines } = await open({ put: () => Promise.reject(new Error("no disk")) });
  const id = await add("text/plain", "x");
  await recorder.end();
  expect(await rowOf(id)).toBeUndefined();
  expect(lines).toEqual([`value ${id} is not kept: it could not be stored\n`]);
});

test("a full organization keeps no value, and no object of it", async () => {
  const { db } = database;
  const limit = (max_storage_bytes: number | null) =>
    withTransaction(db, (tx) =>
      organizations.updateOrganizationLimits(withinTransaction(db, tx), place.organizationId, { max_storage_bytes }),
    );
  const { recorder, rowOf, add, lines } = await open();
  const before = await listObjects();
  await limit(1);
  try {
    const id = await add("text/plain", "much");
    await recorder.end();
    expect(await add("text/plain", "more")).toBeDefined();
    await recorder.end();
    expect([await rowOf(id), await listObjects()]).toEqual([undefined, before]);
    expect(lines).toEqual([expect.stringMatching(/is not kept: the storage quota is reached/)]);
  } finally {
    await limit(null);
  }
});

test("an id that is taken, and a superseded claim, leave no object", async () => {
  const { recorder, turn, rowOf, add } = await open();
  const id = await add("text/plain", "first");
  await recorder.end();
  const before = await listObjects();
  await add("text/plain", "second", id);
  await recorder.end();
  expect((await blobs.read((await rowOf(id))!.objectKey)).toString()).toBe("first");
  await finishTurn({ db: database.db, notifier, log }, turn, place.organizationId, { ending: "released" });
  const late = await add("text/plain", "late");
  await recorder.end();
  expect([await rowOf(late), await listObjects()]).toEqual([undefined, before]);
});

test("the sweep deletes the object of an attempt that died before its row, and those of deleted sessions", async () => {
  const { recorder, turn, rowOf, add } = await open();
  const id = await add("text/plain", "kept");
  await recorder.end();
  const key = (await rowOf(id))!.objectKey;
  const orphan = `${place.organizationId}/values/${newId("value")}`;
  await blobs.put(orphan, Buffer.from("dead"));
  const sweep = () =>
    sweepStore({ db: database.db, blobs, log }, { youngMs: -60_000, afterMs: 0, rememberMs: 0, perPass: 1_000 });
  await waitUntil(async () => (await sweep()) && !(await listObjects()).includes(orphan), { what: "the orphan to go" });
  expect(await listObjects()).toContain(key);
  await database.db.pool.query("delete from dari.sessions where id = $1", [turn.sessionId]);
  await waitUntil(async () => (await sweep()) && !(await listObjects()).includes(key), { what: "the value to go" });
});
