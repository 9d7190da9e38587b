// Versions of `dari dev` are removed when nothing uses them, and no other versions.

import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { purgeDefaults, purgeDeleted, type StorageContext } from "@dari/control/storage";
import { agents, purges, sessions } from "@dari/db";
import {
  createTestAgent,
  createTestDatabase,
  createTestOrganization,
  createTestSession,
  createTestVersion,
  waitUntil,
  type TestDatabase,
} from "@dari/testkit";

let database: TestDatabase;
let organizationId: string;
let agentId: string;
let versionId: string;
const settings = { ...purgeDefaults, devVersionsMs: -1 };
const purge = async () => (await purgeDeleted({ db: database.db } as StorageContext, settings)).devVersions;
const run = (text: string, values: unknown[] = []) => database.db.pool.query(text, values);

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  ({ organizationId } = await createTestOrganization(database.db));
  ({ agentId, versionId } = await createTestAgent(database.db, organizationId));
});

/** Marks the bundles of these versions as `dari dev` does. */
async function markAsDev(...ids: string[]): Promise<void> {
  await run(
    `update source_snapshots set metadata = metadata || '{"dari_dev": true}'
     where id in (select source_snapshot_id from versions where id = any($1))`,
    [ids],
  );
}

async function versionsLeft(): Promise<string[]> {
  const { rows } = await run("select id from versions where agent_id = $1 order by number", [agentId]);
  return rows.map(({ id }: { id: string }) => id);
}

const addVersion = async () => (await createTestVersion(database.db, organizationId, agentId)).versionId;

test("unused ones are removed after their time, and the active one and all others stay", async () => {
  const [used, kept, last] = [await addVersion(), await addVersion(), await addVersion()];
  await markAsDev(versionId, used, last);
  // Each version became active when it was ready, so that the last one is.
  const unmarked = await purgeDeleted({ db: database.db } as StorageContext);
  expect(unmarked.devVersions).toBe(0);
  const session = await createTestSession(database.db, organizationId, agentId);
  await run("update sessions set version_id = $1 where id = $2", [used, session]);
  expect(await purge()).toBe(1);
  expect(await versionsLeft()).toEqual([used, kept, last]);

  await sessions.softDeleteSessionIfIdle(database.db, { organizationId, sessionId: session, cancel: false });
  expect(await purge()).toBe(0);
  await run("update sessions set deleted_at = deleted_at - interval '2 hours' where id = $1", [session]);
  await purge();
  await purge();
  expect(await versionsLeft()).toEqual([kept, last]);
  await agents.activateVersionIfReady(database.db, organizationId, agentId, kept);
  expect(await purge()).toBe(1);
  expect(await versionsLeft()).toEqual([kept]);
});

test("one that becomes active at the same time stays, or is not found", async () => {
  for (let round = 0; round < 10; round++) {
    const [wanted, active] = [await addVersion(), await addVersion()];
    await markAsDev(wanted);
    const [activated, purged] = await Promise.all([
      agents.activateVersionIfReady(database.db, organizationId, agentId, wanted),
      purges.purgeDevVersions(database.db, -1, 5),
    ]);
    const { rows } = await run("select active_version_id as id from agents where id = $1", [agentId]);
    const isGone = !(await versionsLeft()).includes(wanted);
    expect([purged, activated === undefined, rows]).toEqual([
      isGone ? 1 : 0,
      isGone,
      [{ id: isGone ? active : wanted }],
    ]);
    await run("update source_snapshots set metadata = '{}'");
  }
});

test("one that is activated while its removal commits is not found", async () => {
  const [wanted, active] = [await addVersion(), await addVersion()];
  const remover = await database.db.pool.connect();
  try {
    await remover.query("begin");
    await remover.query("delete from versions where id = $1", [wanted]);
    const activated = agents.activateVersionIfReady(database.db, organizationId, agentId, wanted);
    const look = async () => (await run("select 1 from pg_locks where not granted")).rows.length > 0;
    await waitUntil(look, { what: "the activation to wait for the removal" });
    await remover.query("commit");
    expect(await activated).toBeUndefined();
  } finally {
    remover.release();
  }
  const { rows } = await run("select active_version_id as id from agents where id = $1", [agentId]);
  expect(rows).toEqual([{ id: active }]);
});
