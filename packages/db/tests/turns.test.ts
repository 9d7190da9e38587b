// The turn functions, one step at a time, against a real database.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { limits, newId } from "@dari/domain";
import { sql } from "kysely";
import { dispatch, findViolations, turns } from "../src/index.ts";
import { emptySnapshot, openScene, type Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(async () => {
  expect(await findViolations(scene.db)).toEqual([]);
  await scene.close();
});

const reapNow = { limit: 100, graceMs: 0, overdueMs: 0, uncountedClaimsMax: 2 };
const agentError = { code: "agent_error", message: "it threw" } as const;

describe("a turn that completes", () => {
  test("moves message, session, head and ledger together", async () => {
    const session = await scene.session();
    const message = await scene.send(session);
    const turn = await scene.claim(session);
    expect(await scene.row(session)).toEqual({ schedule: "leased", pending: 1, fence: 1 });
    expect(await turns.markCalledIfHeld(scene.db, turn)).toBe(true);
    const snapshot = emptySnapshot(null);
    const result = await turns.finishIfHeld(scene.db, turn, { ending: "completed", output: { parts: [] }, snapshot });
    expect(result).toEqual({ recorded: "completed", again: false, more: false });
    expect(await scene.row(session)).toMatchObject({ schedule: "idle", pending: 0 });
    expect(await scene.message(message)).toMatchObject({ state: "completed", attempts: 1 });
    expect(await scene.eventTypes(session)).toEqual([
      "user.message",
      "message.status_changed",
      "session.status_changed",
      "message.status_changed",
      "attempt.started",
      "attempt.ended",
      "assistant.message_completed",
      "workspace.committed",
      "message.status_changed",
      "message.completed",
      "session.status_changed",
    ]);
  });

  test("answers a repeated finish of the same claim as recorded before", async () => {
    const session = await scene.session();
    await scene.send(session);
    const turn = await scene.claim(session);
    await turns.markCalledIfHeld(scene.db, turn);
    const input = { ending: "completed", output: { parts: [] }, snapshot: emptySnapshot(null) } as const;
    await turns.finishIfHeld(scene.db, turn, input);
    expect(await turns.finishIfHeld(scene.db, turn, input)).toMatchObject({ recorded: "completed", again: true });
  });

  test("refuses a snapshot that is not a child of the head", async () => {
    const session = await scene.session();
    await scene.send(session);
    const turn = await scene.claim(session);
    await turns.markCalledIfHeld(scene.db, turn);
    const input = { ending: "completed", output: { parts: [] }, snapshot: emptySnapshot("snap_other") } as const;
    await expect(turns.finishIfHeld(scene.db, turn, input)).rejects.toThrow(/not a child of its head/);
    expect(await scene.row(session)).toMatchObject({ schedule: "leased" });
  });
});

describe("the fence", () => {
  test("a superseded claim can write nothing, wherever it writes", async () => {
    const session = await scene.session();
    const message = await scene.send(session);
    const late = await scene.claim(session, 0);
    await turns.markCalledIfHeld(scene.db, late);
    await dispatch.reapExpired(scene.db, reapNow);
    const heir = await scene.claim(session);
    const before = await scene.eventTypes(session);

    expect(await turns.markCalledIfHeld(scene.db, late)).toBe(false);
    expect(await turns.appendEventsIfHeld(scene.db, late, [{ type: "agent.event", data: {} }])).toBe(false);
    expect(await turns.appendLogsIfHeld(scene.db, late, [{ sequenceNumber: 1, stream: "stdout", text: "x" }])).toBe(
      false,
    );
    expect(await turns.renewHeldLeases(scene.db, [late], 60_000)).toEqual([]);
    const finish = { ending: "completed", output: { parts: [] }, snapshot: emptySnapshot(null) } as const;
    expect(await turns.finishIfHeld(scene.db, late, finish)).toBeUndefined();
    // The right fence with another token is refused too.
    expect(await turns.finishIfHeld(scene.db, { ...heir, token: late.token }, finish)).toBeUndefined();

    expect(await scene.eventTypes(session)).toEqual(before);
    expect(await scene.message(message)).toMatchObject({ state: "running" });
    await turns.finishIfHeld(scene.db, heir, { ending: "failed", failure: agentError });
  });

  test("grows with every claim and does not go back on release", async () => {
    const session = await scene.session();
    await scene.send(session);
    const first = await scene.claim(session);
    await turns.finishIfHeld(scene.db, first, { ending: "released" });
    const second = await scene.claim(session);
    expect(second.fence).toBeGreaterThan(first.fence);
    expect(second.attemptNumber).toBe(1);
    await turns.finishIfHeld(scene.db, second, { ending: "failed", failure: agentError });
  });
});

describe("claims by a job", () => {
  test("a second job for a live claim is held, an old dispatch is stale", async () => {
    const session = await scene.session();
    await scene.send(session);
    const turn = await scene.claim(session);
    const claimant = { workerId: "other", leaseMs: 60_000, guarantees: {} };
    const again = await turns.claimIfDispatched(
      scene.db,
      { sessionId: session, dispatchNumber: 1 },
      newId("attempt"),
      claimant,
    );
    expect(again).toMatchObject({ outcome: "held" });
    const old = await turns.claimIfDispatched(
      scene.db,
      { sessionId: session, dispatchNumber: 7 },
      newId("attempt"),
      claimant,
    );
    expect(old).toEqual({ outcome: "stale" });
    const forged = await turns.claimIfDispatched(
      scene.db,
      { sessionId: "sess_x", dispatchNumber: 1 },
      newId("attempt"),
      claimant,
    );
    expect(forged).toEqual({ outcome: "stale" });
    await turns.finishIfHeld(scene.db, turn, { ending: "failed", failure: agentError });
  });

  test("a retry is early until it is due, and then its own job claims it again if the caller decides so", async () => {
    const session = await scene.session();
    await scene.send(session);
    const turn = await scene.claim(session);
    await turns.markCalledIfHeld(scene.db, turn);
    await turns.finishIfHeld(scene.db, turn, { ending: "retry", failure: agentError, waitMs: 60_000 });
    const job = { sessionId: session, dispatchNumber: 1 };
    const claimant = { workerId: "w", leaseMs: 60_000, guarantees: {} };
    const early = await turns.claimIfDispatched(scene.db, job, newId("attempt"), claimant);
    expect(early).toMatchObject({ outcome: "early" });
    await sql`update sessions set ready_at = clock_timestamp() where id = ${session}`.execute(scene.db.kysely);
    const due = await turns.claimIfDispatched(scene.db, job, newId("attempt"), claimant);
    expect(due).toEqual({ outcome: "due", organizationId: scene.organizationId });
    const taken = await turns.claimDueRetry(scene.db, job, newId("attempt"), claimant, "take");
    expect(taken).toMatchObject({ outcome: "claimed", turn: { attemptNumber: 2 } });
    if (taken.outcome === "claimed")
      await turns.finishIfHeld(scene.db, taken.turn, { ending: "failed", failure: agentError });
  });

  test("a retry that yields is ready again at the place of its acceptance, and its job is stale", async () => {
    const session = await scene.session();
    const message = await scene.send(session);
    const turn = await scene.claim(session);
    await turns.markCalledIfHeld(scene.db, turn);
    await turns.finishIfHeld(scene.db, turn, { ending: "retry", failure: agentError, waitMs: 0 });
    const job = { sessionId: session, dispatchNumber: 1 };
    const claimant = { workerId: "w", leaseMs: 60_000, guarantees: {} };
    const claim = () => turns.claimDueRetry(scene.db, job, newId("attempt"), claimant, "yield");
    expect(await claim()).toEqual({ outcome: "yielded" });
    const place = await sql<{ same: boolean }>`select s.ready_at = m.created_at as same from sessions s, messages m
      where s.id = ${session} and m.id = ${message}`.execute(scene.db.kysely);
    expect(place.rows[0]?.same).toBe(true);
    expect(await claim()).toEqual({ outcome: "stale" });
    const again = await scene.claim(session);
    expect(again.attemptNumber).toBe(2);
    expect(await claim()).toEqual({ outcome: "stale" });
    await turns.finishIfHeld(scene.db, again, { ending: "failed", failure: agentError });
  });

  test("twenty concurrent pulling workers claim each session once", async () => {
    const sessions = await Promise.all(Array.from({ length: 12 }, () => scene.session()));
    for (const session of sessions) await scene.send(session);
    await dispatch.dispatchIfReady(scene.db, [{ organizationId: scene.organizationId, count: 12 }], 5_000);
    const claimant = { workerId: "w", leaseMs: 60_000, guarantees: {} };
    const claimed = await Promise.all(
      Array.from({ length: 20 }, () => turns.claimNextIfAny(scene.db, newId("attempt"), claimant)),
    );
    const taken = claimed.flatMap((turn) => (turn === undefined ? [] : [turn]));
    expect(new Set(taken.map((turn) => turn.sessionId)).size).toBe(taken.length);
    expect(taken.length).toBe(12);
    for (const turn of taken) await turns.finishIfHeld(scene.db, turn, { ending: "failed", failure: agentError });
  });
});

describe("the reaper", () => {
  test("a worker that dies each time ends the message as failed with worker_lost", async () => {
    const session = await scene.session();
    const message = await scene.send(session);
    for (let i = 0; i < 3; i++) {
      const turn = await scene.claim(session, 0);
      await turns.markCalledIfHeld(scene.db, turn);
      await dispatch.reapExpired(scene.db, reapNow);
    }
    expect(await scene.message(message)).toMatchObject({
      state: "failed",
      attempts: 3,
      output: { error: { code: "worker_lost" } },
    });
    expect(await scene.row(session)).toMatchObject({ schedule: "idle", pending: 0 });
  });

  test("claims lost before the call do not count, up to a limit", async () => {
    const session = await scene.session();
    const message = await scene.send(session);
    for (let i = 0; i < 2; i++) {
      await scene.claim(session, 0);
      await dispatch.reapExpired(scene.db, reapNow);
      expect(await scene.message(message)).toMatchObject({ state: "queued", attempts: 0 });
    }
    await scene.claim(session, 0);
    await dispatch.reapExpired(scene.db, reapNow);
    expect(await scene.message(message)).toMatchObject({ state: "failed", attempts: 0 });
  });

  test("touches nothing within the grace after the database's start", async () => {
    const session = await scene.session();
    await scene.send(session);
    const turn = await scene.claim(session, 0);
    const reaped = await dispatch.reapExpired(scene.db, { ...reapNow, graceMs: 1_000_000_000 });
    expect(reaped).toEqual([]);
    expect(await turns.renewHeldLeases(scene.db, [turn], 60_000)).toHaveLength(1);
    await turns.finishIfHeld(scene.db, turn, { ending: "failed", failure: agentError });
  });

  test("a call that a failover has forgotten gives its message one try more, and no second one", async () => {
    const session = await scene.session();
    const message = await scene.send(session);
    await sql`update messages set max_attempts = 1 where id = ${message}`.execute(scene.db.kysely);
    let calls = 0;
    for (const isForgotten of [true, false]) {
      const turn = await scene.claim(session);
      calls += Number(await turns.markCalledIfHeld(scene.db, turn));
      // Like a standby that has the claim, which was committed synchronously, but not the call.
      const forget = sql`update attempts set called_at = null where id = ${turn.attemptId}`;
      if (isForgotten) await forget.execute(scene.db.kysely);
      await sql`update sessions set lease_until = clock_timestamp() where id = ${session}`.execute(scene.db.kysely);
      await dispatch.reapExpired(scene.db, reapNow);
    }
    expect(calls).toBe(2);
    expect(await scene.message(message)).toMatchObject({
      state: "failed",
      attempts: 1,
      output: { error: { code: "worker_lost" } },
    });
  });

  test("releases a dispatch and a due retry that no worker claimed", async () => {
    const dispatched = await scene.session();
    await scene.send(dispatched);
    await scene.dispatchOnly(dispatched);
    const retried = await scene.session();
    await scene.send(retried);
    const turn = await scene.claim(retried);
    await turns.markCalledIfHeld(scene.db, turn);
    await turns.finishIfHeld(scene.db, turn, { ending: "retry", failure: agentError, waitMs: 0 });
    await sql`update sessions set lease_until = clock_timestamp() where id = ${dispatched}`.execute(scene.db.kysely);
    const reaped = await dispatch.reapExpired(scene.db, reapNow);
    expect(reaped.map((one) => one.recorded).sort()).toEqual(["ready", "ready"]);
    for (const session of [dispatched, retried]) {
      expect(await scene.row(session)).toMatchObject({ schedule: "ready" });
    }
    await dispatch.dispatchIfReady(scene.db, [{ organizationId: scene.organizationId, count: 2 }], 5_000);
    for (let i = 0; i < 2; i++) {
      const next = await turns.claimNextIfAny(scene.db, newId("attempt"), {
        workerId: "w",
        leaseMs: 60_000,
        guarantees: {},
      });
      if (next === undefined) throw new Error("nothing to claim");
      await turns.finishIfHeld(scene.db, next, { ending: "failed", failure: agentError });
    }
  });
});

describe("cancel", () => {
  test("a queued head: its dispatch is stale, the next message continues", async () => {
    const session = await scene.session();
    const first = await scene.send(session);
    const second = await scene.send(session);
    const dispatchNumber = await scene.dispatchOnly(session);
    expect(await turns.cancelMessageOf(scene.db, scene.organizationId, first)).toMatchObject({ outcome: "cancelled" });
    const claimant = { workerId: "w", leaseMs: 60_000, guarantees: {} };
    const job = { sessionId: session, dispatchNumber };
    expect(await turns.claimIfDispatched(scene.db, job, newId("attempt"), claimant)).toEqual({ outcome: "stale" });
    const turn = await scene.claim(session);
    expect(turn.messageId).toBe(second);
    await turns.finishIfHeld(scene.db, turn, { ending: "failed", failure: agentError });
  });

  test("a running message: requested, seen by the renewal, recorded as cancelled whatever the failure", async () => {
    const session = await scene.session();
    const message = await scene.send(session);
    const turn = await scene.claim(session);
    await turns.markCalledIfHeld(scene.db, turn);
    expect(await turns.cancelMessageOf(scene.db, scene.organizationId, message)).toMatchObject({
      outcome: "requested",
    });
    expect(await turns.renewHeldLeases(scene.db, [turn], 60_000)).toEqual([
      { sessionId: session, fence: turn.fence, isRenewed: true, cancelRequested: true, steeringWaits: false },
    ]);
    const result = await turns.finishIfHeld(scene.db, turn, { ending: "retry", failure: agentError });
    expect(result).toMatchObject({ recorded: "cancelled" });
    expect(await scene.message(message)).toMatchObject({
      state: "cancelled",
      output: { error: { code: "cancelled" } },
    });
  });

  test("another organization's message does not exist", async () => {
    const session = await scene.session();
    const message = await scene.send(session);
    const answer = await turns.cancelMessageOf(scene.db, newId("organization"), message);
    expect(answer).toMatchObject({ outcome: "not_found" });
    await turns.cancelMessageOf(scene.db, scene.organizationId, message);
  });

  test("a cancel that wins the row lock over a claim leaves the claim the next message", async () => {
    const session = await scene.session();
    const first = await scene.send(session);
    const second = await scene.send(session);
    const dispatchNumber = await scene.dispatchOnly(session);
    const claimant = { workerId: "w", leaseMs: 60_000, guarantees: {} };
    const other = await scene.db.pool.connect();
    try {
      await other.query("begin");
      await other.query("select * from cancel_message($1, $2)", [scene.organizationId, first]);
      // The claim waits for the lock, then reads what the cancel has committed.
      const claim = turns.claimIfDispatched(
        scene.db,
        { sessionId: session, dispatchNumber },
        newId("attempt"),
        claimant,
      );
      await other.query("commit");
      expect(await claim).toEqual({ outcome: "stale" });
    } finally {
      other.release();
    }
    expect(await scene.message(first)).toMatchObject({ state: "cancelled" });
    expect(await scene.message(second)).toMatchObject({ state: "queued" });
    await turns.cancelMessageOf(scene.db, scene.organizationId, second);
  });
});

test("fifty concurrent messages are numbered without a gap and run in order", async () => {
  const session = await scene.session();
  await Promise.all(Array.from({ length: 50 }, () => scene.send(session)));
  const seen: number[] = [];
  let head: string | null = null;
  for (let i = 0; i < 50; i++) {
    const turn = await scene.claim(session);
    await turns.markCalledIfHeld(scene.db, turn);
    const snapshot = emptySnapshot(head);
    await turns.finishIfHeld(scene.db, turn, { ending: "completed", output: { parts: [] }, snapshot });
    head = snapshot.id;
    const row = await sql<{
      n: number;
    }>`select sequence_number as n from messages where id = ${turn.messageId}`.execute(scene.db.kysely);
    seen.push(row.rows[0]?.n ?? 0);
  }
  expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
});

test("a platform that fails before each call ends the message after a limit; a release does not count", async () => {
  const session = await scene.session();
  const message = await scene.send(session);
  const released = await scene.claim(session);
  await turns.finishIfHeld(scene.db, released, { ending: "released" });
  const failure = { code: "internal_error", message: "the store is away" } as const;
  for (let i = 0; i <= limits.platformRetriesMax; i++) {
    expect(await scene.message(message)).toMatchObject({ state: "queued", attempts: 0 });
    if (i > 0) await dispatch.reapExpired(scene.db, reapNow);
    const turn = await scene.claim(session);
    await turns.finishIfHeld(scene.db, turn, { ending: "retry", failure, waitMs: 0 });
  }
  expect(await scene.message(message)).toMatchObject({
    state: "failed",
    output: { error: { code: "internal_error" } },
  });
});

test("text of agents is stored even if it must be changed for that", async () => {
  const session = await scene.session();
  await scene.send(session);
  const turn = await scene.claim(session);
  const said = { text: "a\0b \ud800 \\u0000 \u{1f600}" };
  expect(await turns.appendEventsIfHeld(scene.db, turn, [{ type: "agent.event", data: said }])).toBe(true);
  const row = await sql<{ data: unknown }>`select data from events where session_id = ${session}
    and type = 'agent.event'`.execute(scene.db.kysely);
  expect(row.rows[0]?.data).toEqual({ text: "a\u2400b \ufffd \\u0000 \u{1f600}" });
  await turns.finishIfHeld(scene.db, turn, { ending: "released" });
  await turns.cancelMessageOf(scene.db, scene.organizationId, turn.messageId);
});
