// The stored totals of an organization with a quota: always right, and at a constant cost.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { newId } from "@dari/domain";
import { sql } from "kysely";
import {
  withinTransaction,
  correctCount,
  files,
  heads,
  messageValues,
  listCountsToCorrect,
  organizations,
  sessionImports,
  sessions,
  snapshots,
  turns,
  withTransaction,
  type CorrectedCount,
  type Database,
} from "../src/index.ts";
import { fillBacklog } from "./backlog-rows.ts";
import { countRowsRead } from "./rows-read.ts";
import { emptySnapshot, openScene, type Scene } from "./scene.ts";
import { untilWaiting } from "./until-waiting.ts";

let scene: Scene;
beforeEach(async () => {
  scene = await openScene();
});
afterEach(async () => {
  expect(await correctAll(0)).toEqual([]);
  await scene.close();
});

async function correctAll(everyMs: number): Promise<CorrectedCount[]> {
  const corrected: CorrectedCount[] = [];
  for (const place of await listCountsToCorrect(scene.db, { everyMs, limit: 100 })) {
    const one = await correctCount(scene.db, place);
    if (one !== undefined) corrected.push(one);
  }
  return corrected;
}

async function bound(limits: { max_sessions?: number | null; max_storage_bytes?: number | null }): Promise<void> {
  const { db, organizationId } = scene;
  await withTransaction(db, (tx) =>
    organizations.updateOrganizationLimits(withinTransaction(db, tx), organizationId, limits),
  );
}

async function kept(kind: string): Promise<number | undefined> {
  const { rows } = await sql<{ kept: number }>`select kept from kept_counts
    where organization_id = ${scene.organizationId} and kind = ${kind}`.execute(scene.db.kysely);
  return rows[0]?.kept;
}

function create(db: Database = scene.db): Promise<unknown> {
  const id = newId("session");
  return sql`insert into sessions (id, organization_id, agent_id, version_id)
    select ${id}, counted_in(organization_id, 'sessions', 1), agent_id, id from versions
    where id = ${scene.versionId}`.execute(db.kysely);
}

async function remove(sessionId: string): Promise<void> {
  const { organizationId } = scene;
  await sessions.softDeleteSessionIfIdle(scene.db, { organizationId, sessionId, cancel: false });
}

/** Runs a turn that leaves a workspace of this size. */
async function runTurn(sessionId: string, totalBytes: number, head: string | null): Promise<string | undefined> {
  await scene.send(sessionId);
  const turn = await scene.claim(sessionId);
  await turns.markCalledIfHeld(scene.db, turn);
  const snapshot = { ...emptySnapshot(head), totalBytes, files: 1 };
  const ended = await turns.finishIfHeld(scene.db, turn, { ending: "completed", output: { parts: [] }, snapshot });
  return ended?.recorded === "completed" ? snapshot.id : undefined;
}

test("sessions are counted from the time when a limit is set, and no longer once it is removed", async () => {
  const first = await scene.session();
  expect(await kept("sessions")).toBeUndefined();
  await bound({ max_sessions: 3 });
  expect(await kept("sessions")).toBe(1);
  await create();
  await remove(first);
  await remove(first);
  expect(await kept("sessions")).toBe(1);
  await Promise.allSettled(Array.from({ length: 8 }, () => create()));
  expect(await kept("sessions")).toBe(3);
  await expect(create()).rejects.toMatchObject({ code: "DQ001", message: "sessions" });
  await bound({ max_sessions: null });
  await create();
  expect(await kept("sessions")).toBeUndefined();
});

test("a statement that starts many sessions changes the count once", async () => {
  await bound({ max_sessions: 100, max_storage_bytes: 1_000 });
  const changes = await withTransaction(scene.db, async (tx) => {
    await sql`insert into sessions (id, organization_id, agent_id, version_id)
      select 'sess_' || n, organization_id, agent_id, id from versions, generate_series(1, 50) n`.execute(tx);
    const { rows } = await sql<{ n: number }>`select n_tup_upd::int as n from pg_stat_xact_user_tables
      where relid = 'kept_counts'::regclass`.execute(tx);
    return rows[0]?.n;
  });
  expect([changes, await kept("sessions")]).toEqual([1, 50]);
});

test("rows that others add or delete while a limit is set are counted once", async () => {
  const gone = await scene.session();
  let setting: Promise<void> | undefined;
  await withTransaction(scene.db, async (tx) => {
    const inside = withinTransaction(scene.db, tx);
    await create(inside);
    await sql`update sessions set deleted_at = now() where id = ${gone}`.execute(tx);
    setting = bound({ max_sessions: 10 });
    await untilWaiting(scene.db, 1);
  });
  await setting;
  expect(await kept("sessions")).toBe(1);
});

test("adding while limits are changed never deadlocks", async () => {
  const { db, organizationId } = scene;
  await bound({ max_sessions: 10 });
  let setting: Promise<void> | undefined;
  await withTransaction(db, async (tx) => {
    // The same lock as an upload holds.
    const lock = sql`pg_advisory_xact_lock_shared(hashtext('dari kept counts'), hashtext(${organizationId}))`;
    await sql`select ${lock}`.execute(tx);
    setting = bound({ max_sessions: null, max_storage_bytes: 1_000 });
    await untilWaiting(db, 1);
    await create(withinTransaction(db, tx));
  });
  await setting;
  // The scene's bundle has one byte.
  expect([await kept("sessions"), await kept("storage_bytes")]).toEqual([undefined, 1]);
});

test("a turn that changes its session's files locks no row of its organization", async () => {
  const session = await scene.session();
  await withTransaction(scene.db, async (tx) => {
    await sql`select 1 from organizations where id = ${scene.organizationId} for update`.execute(tx);
    expect(await runTurn(session, 10, null)).toBeDefined();
  });
});

test("an addition takes as many reads at many sessions as at few", async () => {
  const reads: number[] = [];
  for (const count of [500, 20_000]) {
    const place = await openScene();
    try {
      await fillBacklog(place.db, "k", { organizations: 1, sessions: count });
      const { rows } = await sql<{ id: string; agent: string; version: string }>`
        select organization_id as id, agent_id as agent, version_id as version from sessions limit 1
      `.execute(place.db.kysely);
      const { id, agent, version } = rows[0]!;
      await withTransaction(place.db, (tx) =>
        organizations.updateOrganizationLimits(withinTransaction(place.db, tx), id, { max_sessions: 1_000_000 }),
      );
      reads.push(
        await countRowsRead(place.db, (inside) =>
          sql`insert into sessions (id, organization_id, agent_id, version_id)
            values (${newId("session")}, counted_in(${id}, 'sessions', 1), ${agent}, ${version})`.execute(
            inside.kysely,
          ),
        ),
      );
    } finally {
      await place.close();
    }
  }
  expect(reads[1]! / reads[0]!).toBeLessThan(1.5);
}, 60_000);

test("workspaces count with files and bundles, and release what they no longer hold", async () => {
  await bound({ max_storage_bytes: 10_000 });
  const before = (await kept("storage_bytes"))!;
  const session = await scene.session();
  const head = await runTurn(session, 500, null);
  expect(await kept("storage_bytes")).toBe(before + 500);
  const smaller = await runTurn(session, 200, head!);
  expect(await kept("storage_bytes")).toBe(before + 200);
  const fileId = newId("file");
  const file = { id: fileId, organizationId: scene.organizationId, filename: "a", contentType: "text/plain" };
  await files.insertFile(scene.db, { ...file, sizeBytes: 40, sha256: "x", objectKey: "k" });
  expect(await kept("storage_bytes")).toBe(before + 240);
  await sql`update files set deleted_at = now() where id = ${fileId}`.execute(scene.db.kysely);
  await sql`insert into source_snapshots (id, organization_id, sha256, size_bytes, object_key, upload_expires_at)
    values ('src_2', ${scene.organizationId}, 'x', 7, 'k2', now())`.execute(scene.db.kysely);
  expect(await kept("storage_bytes")).toBe(before + 207);
  await sql`delete from source_snapshots where id = 'src_2'`.execute(scene.db.kysely);
  expect(smaller).toBeDefined();
  await remove(session);
  expect(await kept("storage_bytes")).toBe(before);
});

test("a turn whose workspace exceeds the quota fails and leaves the head; one that shrinks it can save", async () => {
  const session = await scene.session();
  const head = await runTurn(session, 500, null);
  await bound({ max_storage_bytes: 600 });
  expect(await runTurn(session, 700, head!)).toBeUndefined();
  const { rows } =
    await sql<object>`select m.state, m.output -> 'error' as error, m.files_changed, s.head_snapshot_id as head,
      (select kind from snapshots x where x.message_id = m.id) as kind
    from sessions s join messages m on m.id = s.last_message_id where s.id = ${session}`.execute(scene.db.kysely);
  expect(rows).toEqual([
    {
      ...{ state: "failed", files_changed: [], head, kind: "side" },
      error: {
        code: "storage_quota",
        message:
          "quota reached: 600 bytes of files, bundles, workspaces and tool calls, of which 501 are used, and this " +
          "turn adds 200; the session's files stay as they were",
      },
    },
  ]);
  await bound({ max_storage_bytes: 100 });
  expect(await runTurn(session, 499, head!)).toBeDefined();
});

test("a client's write and a fork are refused if they exceed the quota", async () => {
  const session = await scene.session();
  const head = await runTurn(session, 500, null);
  await bound({ max_storage_bytes: 600 });
  const refused = { code: "DQ001", message: "storage_bytes" };
  const write = { ...emptySnapshot(head!), totalBytes: 700 };
  const place = { organizationId: scene.organizationId, sessionId: session };
  const writing = heads.writeHeadIfAtParent(scene.db, { ...place, snapshot: write, filesChanged: [], whileIdle: true });
  await expect(writing).rejects.toMatchObject(refused);
  const forking = sql`select fork_session(${scene.organizationId}, ${session}, null, false, ${newId("session")}, null)`;
  await expect(forking.execute(scene.db.kysely)).rejects.toMatchObject(refused);
  expect(await kept("storage_bytes")).toBe(501);
});

test("values of messages count once in each session that names them, until it is deleted", async () => {
  const session = await scene.session();
  await bound({ max_storage_bytes: 1_000 });
  const before = await kept("storage_bytes");
  const messageId = await scene.send(session);
  const turn = await scene.claim(session);
  await turns.markCalledIfHeld(scene.db, turn);
  const value = { id: newId("value"), objectKey: "v1", mediaType: "text/plain", sizeBytes: 300, sha256: "x" };
  expect(await messageValues.recordValueIfHeld(scene.db, turn, value)).toBe(true);
  expect(await messageValues.recordValueIfHeld(scene.db, turn, value)).toBe(true);
  expect(await messageValues.recordValueIfHeld(scene.db, turn, { ...value, objectKey: "v2" })).toBe(false);
  expect(await kept("storage_bytes")).toBe(before! + 300);
  const large = { ...value, id: newId("value"), objectKey: "v3", sizeBytes: 900 };
  await expect(messageValues.recordValueIfHeld(scene.db, turn, large)).rejects.toMatchObject({ code: "DQ001" });
  const head = await snapshots.findHeadSnapshotId(scene.db, scene.organizationId, session);
  const ending = { ending: "completed", output: { parts: [] }, snapshot: emptySnapshot(head ?? null) } as const;
  await turns.finishIfHeld(scene.db, turn, ending);
  expect(await messageValues.recordValueIfHeld(scene.db, turn, { ...large, sizeBytes: 1 })).toBe(false);
  const fork = newId("session");
  const forking = () =>
    sql`select fork_session(${scene.organizationId}, ${session}, ${messageId}, false, ${fork}, null)`.execute(
      scene.db.kysely,
    );
  await bound({ max_storage_bytes: before! + 599 });
  await expect(forking()).rejects.toMatchObject({ code: "DQ001", message: "storage_bytes" });
  await bound({ max_storage_bytes: before! + 600 });
  await forking();
  expect(await kept("storage_bytes")).toBe(before! + 600);
  await remove(session);
  expect(await kept("storage_bytes")).toBe(before! + 300);
  const { rows } = await sql<object>`select v.object_key, v.size_bytes, m.copied_from from message_values v
    join messages m on m.id = v.message_id where v.session_id = ${fork}`.execute(scene.db.kysely);
  expect(rows).toEqual([{ object_key: "v1", size_bytes: 300, copied_from: messageId }]);
});

test("a count that is wrong or missing is corrected", async () => {
  await bound({ max_sessions: 5, max_storage_bytes: 1_000 });
  await sql`update kept_counts set kept = kept + 3 where kind = 'sessions'`.execute(scene.db.kysely);
  await sql`delete from kept_counts where kind = 'storage_bytes'`.execute(scene.db.kysely);
  const { organizationId } = scene;
  expect((await correctAll(3_600_000)).map(({ was }) => was)).toEqual([null]);
  expect(await correctAll(0)).toEqual([{ organizationId, kind: "sessions", was: 3, now: 0 }]);
});

test("a call that adds no bytes does not wait for one that does", async () => {
  await bound({ max_storage_bytes: 1_000, max_sessions: 10 });
  await withTransaction(scene.db, async (tx) => {
    await sql`select 1 from kept_counts where kind = 'storage_bytes' for update`.execute(tx);
    await create();
  });
  expect(await kept("sessions")).toBe(1);
});

test("an import, an upload and a deletion never wait for each other in a circle", async () => {
  const { db, organizationId, versionId } = scene;
  const gone = await scene.session();
  await runTurn(gone, 10, null);
  await sql`update organizations set max_files = 10`.execute(db.kysely);
  await bound({ max_storage_bytes: 10_000, max_sessions: 10 });
  const file = { organizationId, filename: "a", contentType: "text/plain", sizeBytes: 1, sha256: "x" };
  const bundle = { id: "src_2", organizationId, sha256: "y", sizeBytes: 1, objectKey: "k1", manifestText: "" };
  const settings = { name: null, metadata: {}, onBusy: "enqueue", internetAccess: null };
  const session = { id: newId("session"), organizationId, versionId, ...settings };
  let others: Promise<unknown> | undefined;
  await withTransaction(db, async (tx) => {
    const inside = withinTransaction(db, tx);
    await sessionImports.insertReadyBundle(inside, bundle);
    others = Promise.all([
      files.insertFile(db, { ...file, id: newId("file"), objectKey: "k2" }),
      sessions.softDeleteSessionIfIdle(db, { organizationId, sessionId: gone, cancel: false }),
    ]);
    await untilWaiting(db, 2);
    const snapshot = { ...emptySnapshot(null), totalBytes: 5, files: 1 };
    await sessionImports.insertSessionIfAgentLive(inside, { ...session, importedFrom: "sess_x", snapshot });
    await files.insertFile(inside, { ...file, id: newId("file"), objectKey: "k3" });
  });
  await others;
  expect(await kept("sessions")).toBe(1);
});
