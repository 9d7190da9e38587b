// Forks, rollbacks and clients' writes as rows: changes of a head without a turn, and the invariants after them.

import { newId } from "@dari/domain";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { sql } from "kysely";
import { findViolations, heads, messageInputs, snapshots, turnDetails, turns } from "../src/index.ts";
import type { TurnSnapshot } from "../src/index.ts";
import { emptySnapshot, openScene, type Scene } from "./scene.ts";

let scene: Scene;
let session: string;
beforeAll(async () => {
  scene = await openScene({ maxAttempts: 1 });
});
afterAll(() => scene.close());
beforeEach(async () => {
  session = await scene.session();
});

interface Ran {
  readonly messageId: string;
  readonly snapshotId: string;
}

/** Sends a message and completes its turn from the session's head. */
async function run(sessionId: string, text = "hello"): Promise<Ran> {
  await scene.accept(sessionId, { text });
  const turn = await scene.claim(sessionId);
  await turns.markCalledIfHeld(scene.db, turn);
  const snapshot = emptySnapshot(await headOf(sessionId));
  const output = { parts: [{ type: "text", text: `re: ${text}` }] };
  await turns.finishIfHeld(scene.db, turn, { ending: "completed", output, snapshot });
  return { messageId: turn.messageId, snapshotId: snapshot.id };
}

async function fail(sessionId: string): Promise<string> {
  await scene.send(sessionId);
  const turn = await scene.claim(sessionId);
  await turns.markCalledIfHeld(scene.db, turn);
  const snapshot = emptySnapshot(await headOf(sessionId));
  await turns.finishIfHeld(scene.db, turn, { ending: "failed", snapshot });
  return turn.messageId;
}

async function headOf(sessionId: string): Promise<string | null> {
  return (await snapshots.findHeadSnapshotId(scene.db, scene.organizationId, sessionId)) ?? null;
}

async function fork(messageId?: string, more: { without?: boolean; versionId?: string; source?: string } = {}) {
  const sessionId = newId("session");
  const outcome = await heads.forkSession(scene.db, {
    organizationId: scene.organizationId,
    sourceId: more.source ?? session,
    messageId,
    without: more.without ?? false,
    sessionId,
    versionId: more.versionId,
  });
  return { outcome, sessionId };
}

function rollBack(messageId: string, sessionId = session): Promise<string> {
  return heads.rollBackIfIdle(scene.db, { organizationId: scene.organizationId, sessionId, messageId });
}

async function write(sessionId = session, snapshot?: TurnSnapshot, whileIdle = false): Promise<string> {
  const made = snapshot ?? emptySnapshot(await headOf(sessionId));
  const outcome = await heads.writeHeadIfAtParent(scene.db, {
    organizationId: scene.organizationId,
    sessionId,
    snapshot: made,
    filesChanged: [],
    whileIdle,
  });
  return outcome === "written" ? made.id : outcome;
}

/** Returns what an agent would get as a session's history. */
async function history(sessionId: string): Promise<unknown[]> {
  const rows = await turnDetails.listHistoryBefore(scene.db, sessionId, 1_000, 100, 1_000_000);
  return rows.map((row) => (row.output as { parts: { text: string }[] }).parts[0]?.text);
}

async function rowsOf(sessionId: string): Promise<{ id: string; n: number; copied_from: string | null }[]> {
  const result = await sql<{ id: string; n: number; copied_from: string | null }>`
    select id, sequence_number as n, copied_from from messages where session_id = ${sessionId}
    order by sequence_number`.execute(scene.db.kysely);
  return result.rows;
}

async function expectHealthy(): Promise<void> {
  expect(await findViolations(scene.db)).toEqual([]);
}

test("a fork has the conversation and the head as of the message, and continues separately", async () => {
  const first = await run(session, "one");
  const failed = await fail(session);
  const second = await run(session, "two");
  const { outcome, sessionId } = await fork(first.messageId);
  expect(outcome).toBe("forked");
  expect(await headOf(sessionId)).toBe(first.snapshotId);
  expect(await history(sessionId)).toEqual(["re: one"]);
  expect(await scene.eventTypes(sessionId)).toEqual([
    "session.created",
    "user.message",
    "assistant.message_completed",
    "workspace.committed",
    "message.completed",
  ]);
  const own = await run(sessionId, "other");
  expect(await headOf(sessionId)).toBe(own.snapshotId);
  expect(await headOf(session)).toBe(second.snapshotId);
  expect(await history(sessionId)).toEqual(["re: one", "re: other"]);

  const latest = await fork();
  expect((await rowsOf(latest.sessionId)).map((row) => row.copied_from)).toEqual([
    first.messageId,
    failed,
    second.messageId,
  ]);
  expect(await headOf(latest.sessionId)).toBe(second.snapshotId);
  // A fork of a fork, at a copied message.
  const copies = await rowsOf(latest.sessionId);
  const again = await fork(copies[1]?.id, { source: latest.sessionId });
  expect(await headOf(again.sessionId)).toBe(first.snapshotId);
  await run(again.sessionId, "three");
  await expectHealthy();
});

test("the events of a fork keep the ids of their attempts, which tell calls with the same id apart", async () => {
  await scene.accept(session);
  const turn = await scene.claim(session);
  await turns.markCalledIfHeld(scene.db, turn);
  const data = { call_id: "call_1", name: "read", kind: "function", arguments: {} };
  await turns.appendEventsIfHeld(scene.db, turn, [{ type: "tool.call_requested", data, number: 1 }]);
  await turns.finishIfHeld(scene.db, turn, { ending: "completed", snapshot: emptySnapshot(await headOf(session)) });
  const { sessionId } = await fork();
  const events = await sql<{ attempt_id: string | null }>`
    select attempt_id from events where session_id = ${sessionId} and type = 'tool.call_requested'`.execute(
    scene.db.kysely,
  );
  expect(events.rows).toEqual([{ attempt_id: turn.attemptId }]);
  await expectHealthy();
});

test("a fork has no events of an attempt that was repeated", async () => {
  await scene.accept(session);
  for (const ending of ["released", "completed"] as const) {
    const turn = await scene.claim(session);
    await turns.markCalledIfHeld(scene.db, turn);
    const data = { call_id: ending, name: "pay", kind: "function", arguments: {} };
    await turns.appendEventsIfHeld(scene.db, turn, [{ type: "tool.call_requested", data, number: 1 }]);
    const snapshot = ending === "completed" ? { snapshot: emptySnapshot(await headOf(session)) } : {};
    await turns.finishIfHeld(scene.db, turn, { ending, ...snapshot });
  }
  const { sessionId } = await fork();
  const calls = await sql<{ id: string }>`
    select data ->> 'call_id' as id from events
    where session_id = ${sessionId} and type = 'tool.call_requested'`.execute(scene.db.kysely);
  expect(calls.rows).toEqual([{ id: "completed" }]);
  await expectHealthy();
});

test("a fork has the question of an attempt that reached a limit, and nothing else of it", async () => {
  const { messageId } = await scene.accept(session, { limits: { requests: 3 } });
  const first = await scene.claim(session);
  await turns.markCalledIfHeld(scene.db, first);
  const data = { call_id: "old", name: "pay", kind: "function", arguments: {} };
  await turns.appendEventsIfHeld(scene.db, first, [{ type: "tool.call_requested", data, number: 1 }]);
  const budget = { limit: "requests", value: 3, used: 3, requested: 1, needed: 4 } as const;
  const asked = { key: "", schema: { properties: {} }, prompt: "more?", waitSeconds: 600, placed: [], budget };
  const failure = { code: "budget_exceeded", message: "limit reached" } as const;
  await turns.finishIfHeld(scene.db, first, { ending: "suspended", asked, failure });
  const answer = { key: "dari:budget-1", value: { approved: true }, dispatchTtlMs: undefined };
  await messageInputs.answerIfWaiting(scene.db, { organizationId: scene.organizationId, messageId, ...answer });
  const last = await scene.claim(session);
  await turns.markCalledIfHeld(scene.db, last);
  await turns.finishIfHeld(scene.db, last, { ending: "completed", snapshot: emptySnapshot(await headOf(session)) });
  const { sessionId } = await fork();
  const told = await sql<{ type: string }>`select type from events where session_id = ${sessionId}
    and type in ('tool.call_requested', 'input.requested', 'input.submitted') order by sequence_number`.execute(
    scene.db.kysely,
  );
  expect(told.rows.map(({ type }) => type)).toEqual(["input.requested", "input.submitted"]);
  await expectHealthy();
});

test("a fork stays complete when its source session is deleted permanently", async () => {
  const { snapshotId } = await run(session, "one");
  const { sessionId } = await fork();
  await sql`delete from sessions where id = ${session}`.execute(scene.db.kysely);
  expect(await snapshots.listSnapshotChain(scene.db, scene.organizationId, snapshotId)).toHaveLength(1);
  expect(await history(sessionId)).toEqual(["re: one"]);
  await run(sessionId, "two");
  await expectHealthy();
});

test("a fork without a message begins in the workspace that the message found", async () => {
  await run(session, "one");
  const written = await write();
  const failed = await fail(session);
  const { sessionId } = await fork(failed, { without: true });
  expect([await headOf(sessionId), await history(sessionId)]).toEqual([written, ["re: one"]]);
  const first = await scene.session();
  const failedFirst = await fail(first);
  const empty = await fork(failedFirst, { without: true, source: first });
  expect([await headOf(empty.sessionId), await rowsOf(empty.sessionId)]).toEqual([null, []]);
  await run(empty.sessionId);
  // Its failed turn starts from the head with which it was forked.
  const again = await fail(sessionId);
  const third = await fork(again, { without: true, source: sessionId });
  expect(await headOf(third.sessionId)).toBe(written);
  await expectHealthy();
});

test("what cannot be forked or rolled back to is refused", async () => {
  const done = await run(session);
  const other = await run(await scene.session());
  expect((await fork(other.messageId)).outcome).toBe("no_message");
  expect((await fork(undefined, { source: newId("session") })).outcome).toBe("not_found");
  expect((await fork(done.messageId, { versionId: newId("version") })).outcome).toBe("version_not_ready");
  expect(await rollBack(other.messageId)).toBe("no_message");
  const queued = await scene.send(session);
  expect((await fork(queued)).outcome).toBe("not_ended");
  expect(await rollBack(done.messageId)).toBe("busy");
  expect(await write()).toMatch(/^snap_/);
  expect(await write(session, undefined, true)).toBe("busy");
  const turn = await scene.claim(session);
  expect(await write()).toBe("busy");
  expect(await rollBack(done.messageId)).toBe("busy");
  const cancelled = await scene.send(session);
  await turns.cancelMessageOf(scene.db, scene.organizationId, cancelled);
  expect((await fork(cancelled)).outcome).toBe("open_before");
  await turns.finishIfHeld(scene.db, turn, { ending: "failed" });
  await expectHealthy();
});

test("a rollback moves the head back, keeps what came later, and turns continue from there", async () => {
  const first = await run(session, "one");
  const second = await run(session, "two");
  await write();
  const third = await run(session, "three");
  expect(await rollBack(second.messageId)).toBe("done");
  expect([await headOf(session), await history(session)]).toEqual([second.snapshotId, ["re: one", "re: two"]]);
  expect(await rollBack(third.messageId)).toBe("rolled_back");
  expect((await fork(third.messageId)).outcome).toBe("rolled_back");
  await expectHealthy();
  const failed = await fail(session);
  await run(session, "four");
  expect(await rollBack(failed)).toBe("done");
  expect(await headOf(session)).toBe(second.snapshotId);
  expect(await rollBack(first.messageId)).toBe("done");
  await run(session, "five");
  expect(await history(session)).toEqual(["re: one", "re: five"]);
  expect((await rowsOf((await fork()).sessionId)).map((row) => row.copied_from)).toEqual([
    first.messageId,
    expect.any(String),
  ]);
  await expectHealthy();
});

test("a rollback to the last message changes nothing but a later write", async () => {
  const { messageId, snapshotId } = await run(session);
  const before = (await scene.eventTypes(session)).length;
  expect(await rollBack(messageId)).toBe("done");
  expect((await scene.eventTypes(session)).length).toBe(before);
  await write();
  expect(await rollBack(messageId)).toBe("done");
  expect([await headOf(session), (await scene.eventTypes(session)).at(-1)]).toEqual([
    snapshotId,
    "session.rolled_back",
  ]);
  await expectHealthy();
});

test("a fork can be rolled back into the conversation that it copied", async () => {
  const first = await run(session, "one");
  await run(session, "two");
  const { sessionId } = await fork();
  await run(sessionId, "three");
  const [copy] = await rowsOf(sessionId);
  expect(await rollBack(copy?.id ?? "", sessionId)).toBe("done");
  expect([await headOf(sessionId), await history(sessionId)]).toEqual([first.snapshotId, ["re: one"]]);
  await run(sessionId, "four");
  await expectHealthy();
});

test("of concurrent writes on one head, one succeeds", async () => {
  await run(session);
  const head = await headOf(session);
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => write(session, emptySnapshot(head))));
  expect(outcomes.filter((outcome) => outcome === "moved")).toHaveLength(7);
  await expectHealthy();
});

test("ids that the database creates have the platform's form", async () => {
  const result = await sql<{ id: string }>`select new_id('msg') as id from generate_series(1, 50)`.execute(
    scene.db.kysely,
  );
  const ids = result.rows.map((row) => row.id);
  expect(new Set(ids).size).toBe(50);
  const own = newId("message");
  for (const id of ids) {
    expect(id).toMatch(/^msg_[0-7][0-9a-hjkmnp-tv-z]{25}$/);
    expect(id.slice(0, 9)).toBe(own.slice(0, 9));
  }
});

test("placed files: what was rolled back is not placed again, what failed before is", async () => {
  const files = [newId("file"), newId("file")];
  for (const id of files) {
    await sql`insert into files (id, organization_id, filename, content_type, size_bytes, sha256, object_key)
      values (${id}, ${scene.organizationId}, 'a.txt', 'text/plain', 1, 'x', ${id})`.execute(scene.db.kysely);
  }
  await run(session);
  await scene.accept(session, { attachments: [{ path: "/input/a.txt", fileId: files[0] ?? "" }] });
  const turn = await scene.claim(session);
  await turns.finishIfHeld(scene.db, turn, { ending: "failed" });
  await scene.accept(session, { attachments: [{ path: "/input/b.txt", fileId: files[1] ?? "" }] });
  const next = await scene.claim(session);
  const snapshot = emptySnapshot(await headOf(session));
  await turns.markCalledIfHeld(scene.db, next);
  await turns.finishIfHeld(scene.db, next, { ending: "completed", output: { parts: [] }, snapshot });
  expect(await turnDetails.listAttachmentsToPlace(scene.db, session, 4)).toEqual([]);
  expect(await rollBack(turn.messageId)).toBe("done");
  const placed = async (id: string): Promise<string[]> =>
    (await turnDetails.listAttachmentsToPlace(scene.db, id, 4)).map((input) => input.path);
  expect(await placed(session)).toEqual(["/input/a.txt"]);
  expect(await placed((await fork(turn.messageId)).sessionId)).toEqual(["/input/a.txt"]);
  await expectHealthy();
});
