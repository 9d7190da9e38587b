// What a message does to open ones before it in its session, one step at a time, on a real database.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { limits, newId } from "@dari/domain";
import { createTestFile } from "@dari/testkit";
import { sql } from "kysely";
import { dispatch, findViolations, sessions, turnDetails, turns, type ClaimedTurn } from "../src/index.ts";
import { historyBefore, sendMany, textsOf } from "./conversation.ts";
import { emptySnapshot, openScene, type Scene } from "./scene.ts";

let scene: Scene;
let session: string;
let head: string | null;
beforeAll(async () => {
  scene = await openScene();
});
beforeEach(async () => {
  session = await scene.session();
  head = null;
});
afterAll(async () => {
  expect(await findViolations(scene.db)).toEqual([]);
  await scene.close();
});

async function begin(): Promise<ClaimedTurn> {
  const turn = await scene.claim(session);
  await turns.markCalledIfHeld(scene.db, turn);
  return turn;
}

async function complete(turn: ClaimedTurn): Promise<string | undefined> {
  const snapshot = emptySnapshot(head);
  const output = { parts: [{ type: "text", text: "done" }] };
  const result = await turns.finishIfHeld(scene.db, turn, { ending: "completed", output, snapshot });
  if (result?.recorded === "completed") head = snapshot.id;
  return result?.recorded;
}

/** Runs what is left, so that the invariants check everything. */
async function drain(): Promise<string[]> {
  const ran: string[] = [];
  while ((await scene.row(session)).pending > 0) {
    const turn = await begin();
    ran.push(turn.messageId);
    await complete(turn);
  }
  return ran;
}

async function pathsOf(messageId: string): Promise<string[]> {
  return [...(await turnDetails.listAttachmentPathsOf(scene.db, messageId)).keys()].sort();
}

async function input(path: string): Promise<{ path: string; fileId: string }> {
  return { path, fileId: await createTestFile(scene.db, scene.organizationId) };
}

describe("an idle session", () => {
  test.each(["enqueue", "reject", "interrupt", "rollback", "merge"] as const)("still accepts: %s", async (onBusy) => {
    expect(await scene.accept(session, { onBusy })).toMatchObject({ outcome: "accepted", schedule: "ready" });
    expect(await drain()).toHaveLength(1);
  });
});

describe("reject", () => {
  test("refuses while a message is queued or running, and leaves no trace", async () => {
    const first = await scene.send(session);
    const before = await scene.eventTypes(session);
    expect(await scene.accept(session, { onBusy: "reject" })).toMatchObject({ outcome: "busy" });
    expect(await scene.eventTypes(session)).toEqual(before);
    const turn = await begin();
    expect(await scene.accept(session, { onBusy: "reject" })).toMatchObject({ outcome: "busy" });
    await complete(turn);
    expect(await scene.accept(session, { onBusy: "reject" })).toMatchObject({ outcome: "accepted", sequenceNumber: 2 });
    expect(await drain()).not.toContain(first);
  });

  test("of fifty concurrent ones exactly one is accepted", async () => {
    const all = await Promise.all(Array.from({ length: 50 }, () => scene.accept(session, { onBusy: "reject" })));
    expect(all.filter((one) => one.outcome === "accepted")).toHaveLength(1);
    await drain();
  });

  test("as the session's default; the message's own word wins", async () => {
    await sql`update sessions set on_busy = 'reject' where id = ${session}`.execute(scene.db.kysely);
    await scene.send(session);
    expect(await scene.accept(session)).toMatchObject({ outcome: "busy" });
    expect(await scene.accept(session, { onBusy: "enqueue" })).toMatchObject({ outcome: "accepted" });
    expect(await drain()).toHaveLength(2);
  });
});

describe("interrupt", () => {
  test("stops the running turn, queues at the tail, and keeps the prompt in the conversation", async () => {
    const first = (await scene.accept(session, { text: "one" })).messageId;
    const turn = await begin();
    const second = (await scene.accept(session, { text: "two" })).messageId;
    const third = await scene.accept(session, { text: "three", onBusy: "interrupt" });
    expect(third).toMatchObject({ stopping: first, ended: [], schedule: null, sequenceNumber: 3 });
    expect(await turns.renewHeldLeases(scene.db, [turn], 60_000)).toMatchObject([{ cancelRequested: true }]);
    expect(await scene.message(first)).toMatchObject({ state: "running" });
    await turns.finishIfHeld(scene.db, turn, { ending: "cancelled" });
    expect(await scene.message(first)).toMatchObject({ state: "cancelled" });
    expect(await historyBefore(scene, session, 3)).toEqual(["one"]);
    expect(await drain()).toEqual([second, third.messageId]);
    expect(await historyBefore(scene, session, 4)).toEqual(["one", "two", "(answer)", "three", "(answer)"]);
  });

  test("the turn's text so far stays in the conversation too", async () => {
    const first = (await scene.accept(session, { text: "one" })).messageId;
    const turn = await begin();
    await scene.accept(session, { text: "two", onBusy: "interrupt" });
    const said = { parts: [{ type: "text", text: "I was about to" }] };
    await turns.finishIfHeld(scene.db, turn, { ending: "cancelled", output: said });
    expect(await scene.message(first)).toMatchObject({ output: { ...said, error: { code: "cancelled" } } });
    const [shown] = await turnDetails.listHistoryBefore(scene.db, session, 2, 100, 1_000_000);
    expect(shown).toMatchObject({ parts: [{ text: "one" }], output: said });
    await drain();
  });

  test("a turn that was cancelled by no message keeps nothing of what it said", async () => {
    const first = await scene.send(session);
    const turn = await begin();
    await turns.cancelMessageOf(scene.db, scene.organizationId, first);
    const said = { parts: [{ type: "text", text: "I was about to" }] };
    await turns.finishIfHeld(scene.db, turn, { ending: "cancelled", output: said });
    expect(await scene.message(first)).toMatchObject({ state: "cancelled", output: { parts: [] } });
  });

  test("a turn that ends first keeps its answer", async () => {
    await scene.send(session);
    const turn = await begin();
    await scene.accept(session, { onBusy: "interrupt" });
    expect(await complete(turn)).toBe("completed");
    expect(await historyBefore(scene, session, 2)).toEqual(["hello", "(answer)"]);
    await drain();
  });

  test("immediately ends a turn that waits for its retry", async () => {
    const first = await scene.send(session);
    const failure = { code: "agent_error", message: "it threw" } as const;
    await turns.finishIfHeld(scene.db, await begin(), { ending: "retry", failure, waitMs: 600_000 });
    expect(await scene.row(session)).toMatchObject({ schedule: "retry_wait" });
    const second = await scene.accept(session, { onBusy: "interrupt" });
    expect(second).toMatchObject({ ended: [first], stopping: null, schedule: "ready" });
    expect(await scene.message(first)).toMatchObject({ state: "cancelled" });
    expect(await historyBefore(scene, session, 2)).toEqual(["hello"]);
    expect(await drain()).toEqual([second.messageId]);
  });

  test("leaves messages that have not begun unchanged", async () => {
    const first = await scene.send(session);
    const second = await scene.accept(session, { onBusy: "interrupt" });
    expect(second).toMatchObject({ ended: [], stopping: null });
    expect(await drain()).toEqual([first, second.messageId]);
  });

  test("a worker that is lost at that time ends it too", async () => {
    const first = await scene.send(session);
    await scene.claim(session, 0);
    const second = await scene.accept(session, { onBusy: "interrupt" });
    await dispatch.reapExpired(scene.db, { limit: 100, graceMs: 0, overdueMs: 0, uncountedClaimsMax: 2 });
    expect(await scene.message(first)).toMatchObject({ state: "cancelled" });
    expect(await drain()).toEqual([second.messageId]);
  });
});

describe("rollback", () => {
  test("stops what runs, cancels what is queued, and drops both from the conversation", async () => {
    await scene.accept(session, { text: "kept" });
    await drain();
    const first = (await scene.accept(session, { text: "one", attachments: [await input("/input/a")] })).messageId;
    const turn = await begin();
    const second = (await scene.accept(session, { text: "two" })).messageId;
    const third = await scene.accept(session, { text: "three", onBusy: "rollback" });
    expect(third).toMatchObject({ ended: [second], stopping: first });
    expect(await scene.message(second)).toMatchObject({ state: "cancelled" });
    await turns.finishIfHeld(scene.db, turn, { ending: "cancelled" });
    expect(await historyBefore(scene, session, 4)).toEqual(["kept", "(answer)"]);
    expect(await turnDetails.listAttachmentsToPlace(scene.db, session, 4)).toEqual([]);
    expect(await drain()).toEqual([third.messageId]);
    expect(await historyBefore(scene, session, 5)).toEqual(["kept", "(answer)", "three", "(answer)"]);
  });

  test("applies also when the turn ends first: its work is not part of the session", async () => {
    const first = await scene.send(session);
    const turn = await begin();
    await scene.accept(session, { onBusy: "rollback" });
    expect(await complete(turn)).toBe("cancelled");
    expect(await scene.message(first)).toMatchObject({ state: "cancelled", output: { error: { code: "cancelled" } } });
    expect(await historyBefore(scene, session, 2)).toEqual([]);
    await drain();
  });

  test("drops an interrupted prompt that it finds still running", async () => {
    await scene.send(session);
    const turn = await begin();
    await scene.accept(session, { onBusy: "interrupt" });
    await scene.accept(session, { onBusy: "rollback" });
    const said = { parts: [{ type: "text", text: "I was about to" }] };
    await turns.finishIfHeld(scene.db, turn, { ending: "cancelled", output: said });
    expect(await historyBefore(scene, session, 3)).toEqual([]);
    expect(await drain()).toHaveLength(1);
  });

  test("of many concurrent messages is as exact as of one", async () => {
    const running = await scene.send(session);
    const turn = await begin();
    const waiting: string[] = [];
    for (let i = 0; i < 40; i++) waiting.push(await scene.send(session));
    const last = await scene.accept(session, { onBusy: "rollback" });
    expect(last).toMatchObject({ ended: waiting.toReversed(), stopping: running, schedule: null });
    expect(await scene.row(session)).toMatchObject({ schedule: "leased", pending: 2 });
    await turns.finishIfHeld(scene.db, turn, { ending: "cancelled" });
    expect(await drain()).toEqual([last.messageId]);
  });

  test("of five thousand waiting messages takes a moment, and the session's place is right after it", async () => {
    const running = await scene.send(session);
    const turn = await begin();
    await sendMany(scene, session, 5_000);
    const startedAt = performance.now();
    const last = await scene.accept(session, { onBusy: "rollback" });
    // Generous: one by one they take most of a minute, in which every lease of the worker would expire.
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect([last.stopping, last.ended?.length]).toEqual([running, 5_000]);
    expect(await scene.row(session)).toMatchObject({ schedule: "leased", pending: 2 });
    await turns.finishIfHeld(scene.db, turn, { ending: "cancelled" });
    expect(await drain()).toEqual([last.messageId]);
    expect(await findViolations(scene.db)).toEqual([]);
  }, 60_000);

  test("of a message that waits for its dispatch makes the session ready for the new one", async () => {
    await scene.send(session);
    await scene.send(session);
    const dispatchNumber = await scene.dispatchOnly(session);
    expect(await scene.accept(session, { onBusy: "rollback" })).toMatchObject({ schedule: "ready" });
    const claimant = { workerId: "w", leaseMs: 60_000, guarantees: {} };
    const job = { sessionId: session, dispatchNumber };
    const late = await turns.claimIfDispatched(scene.db, job, newId("attempt"), claimant);
    expect(late).toEqual({ outcome: "stale" });
    expect(await drain()).toHaveLength(1);
  });
});

describe("ending a session with cancel", () => {
  const end = () => {
    const { organizationId } = scene;
    return sessions.completeSessionIfOpen(scene.db, { organizationId, sessionId: session, cancel: true });
  };

  test("cancels what waits and leaves the session idle", async () => {
    const [first, second] = [await scene.send(session), await scene.send(session)];
    await scene.dispatchOnly(session);
    expect((await end()).cancelled.map((one) => one.messageId)).toEqual([second, first]);
    expect(await scene.row(session)).toMatchObject({ schedule: "idle", pending: 0 });
    expect((await scene.eventTypes(session)).slice(-4)).toEqual([
      "message.status_changed",
      "message.cancelled",
      "session.status_changed",
      "session.status_changed",
    ]);
    expect(await scene.message(first)).toMatchObject({ state: "cancelled", output: { error: { code: "cancelled" } } });
  });

  test("asks what runs to stop, and is over with its end", async () => {
    const running = await scene.send(session);
    const turn = await begin();
    const waiting = await scene.send(session);
    expect(await end()).toEqual({
      outcome: "done",
      cancelled: [
        { messageId: waiting, running: false },
        { messageId: running, running: true },
      ],
    });
    await turns.finishIfHeld(scene.db, turn, { ending: "cancelled" });
    expect(await scene.message(running)).toMatchObject({ state: "cancelled", output: { parts: [] } });
    expect(await scene.row(session)).toMatchObject({ schedule: "idle", pending: 0 });
  });

  test("of five thousand waiting messages takes a moment", async () => {
    await sendMany(scene, session, 5_000);
    const startedAt = performance.now();
    expect((await end()).cancelled).toHaveLength(5_000);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  }, 60_000);
});

describe("merge", () => {
  test("takes over the parts and files of waiting messages, in order, and leaves the running one", async () => {
    const running = await scene.send(session);
    const turn = await begin();
    const one = (await scene.accept(session, { text: "one", attachments: [await input("/input/a")] })).messageId;
    const two = (await scene.accept(session, { text: "two" })).messageId;
    const attachments = [await input("/input/b")];
    const three = await scene.accept(session, { text: "three", attachments, onBusy: "merge" });
    expect(three).toMatchObject({ ended: [two, one], stopping: null, schedule: null });
    expect(await textsOf(scene, three.messageId)).toEqual(["one", "two", "three"]);
    expect(await pathsOf(three.messageId)).toEqual(["/input/a", "/input/b"]);
    expect(await scene.message(one)).toMatchObject({ state: "completed", output: null, attempts: 0 });
    expect((await scene.eventTypes(session)).slice(-4)).toEqual([
      "message.status_changed",
      "message.completed",
      "message.status_changed",
      "message.completed",
    ]);
    await complete(turn);
    expect(await historyBefore(scene, session, 4)).toEqual(["hello", "(answer)"]);
    const ran = await drain();
    expect([running, ...ran]).toEqual([running, three.messageId]);
    expect(await historyBefore(scene, session, 5)).toEqual(["hello", "(answer)", "one", "two", "three", "(answer)"]);
  });

  test("a dispatch for a merged message is stale, and the place of its acceptance is kept", async () => {
    const one = await scene.accept(session, { text: "one" });
    const dispatchNumber = await scene.dispatchOnly(session);
    const two = await scene.accept(session, { text: "two", onBusy: "merge" });
    expect(two).toMatchObject({ ended: [one.messageId], schedule: "ready" });
    const claimant = { workerId: "w", leaseMs: 60_000, guarantees: {} };
    const late = await turns.claimIfDispatched(
      scene.db,
      { sessionId: session, dispatchNumber },
      newId("attempt"),
      claimant,
    );
    expect(late).toEqual({ outcome: "stale" });
    const place = await sql<{ same: boolean }>`select s.ready_at = m.created_at as same from sessions s, messages m
      where s.id = ${session} and m.id = ${one.messageId}`.execute(scene.db.kysely);
    expect(place.rows[0]?.same).toBe(true);
    expect(await drain()).toEqual([two.messageId]);
  });

  test("what was merged into a message that is merged goes along", async () => {
    await scene.accept(session, { text: "one" });
    await scene.accept(session, { text: "two", onBusy: "merge" });
    const three = await scene.accept(session, { text: "three", onBusy: "merge" });
    expect(await textsOf(scene, three.messageId)).toEqual(["one", "two", "three"]);
    expect(await drain()).toEqual([three.messageId]);
  });

  test("a message that waits for its retry is not taken over, later ones are", async () => {
    const first = await scene.send(session);
    const failure = { code: "agent_error", message: "it threw" } as const;
    await turns.finishIfHeld(scene.db, await begin(), { ending: "retry", failure, waitMs: 0 });
    await scene.accept(session, { text: "two" });
    const third = await scene.accept(session, { text: "three", onBusy: "merge" });
    expect(await textsOf(scene, third.messageId)).toEqual(["two", "three"]);
    await dispatch.reapExpired(scene.db, { limit: 100, graceMs: 0, overdueMs: 0, uncountedClaimsMax: 2 });
    expect(await drain()).toEqual([first, third.messageId]);
  });

  test("a message that does not fit stays separate", async () => {
    const big = "x".repeat(limits.mergedPartsBytes / 2);
    const one = (await scene.accept(session, { text: big })).messageId;
    const two = (await scene.accept(session, { text: "two" })).messageId;
    const three = await scene.accept(session, { text: big, onBusy: "merge" });
    expect(three).toMatchObject({ ended: [two] });
    expect(await drain()).toEqual([one, three.messageId]);
  });

  test("fifty concurrent ones are one message with every text once", async () => {
    const names = Array.from({ length: 50 }, (_, i) => `m${i}`);
    await Promise.all(names.map((text) => scene.accept(session, { text, onBusy: "merge" })));
    const ran = await drain();
    expect(ran).toHaveLength(1);
    expect((await textsOf(scene, ran[0] ?? "")).sort()).toEqual([...names].sort());
  });
});

test("a session that waits for its build keeps waiting, with the rest of its messages", async () => {
  const early = await openScene({ building: true });
  const waiting = await early.session();
  const one = await early.send(waiting);
  const two = await early.accept(waiting, { onBusy: "merge" });
  expect(two).toMatchObject({ ended: [one], schedule: null });
  expect(await early.accept(waiting, { onBusy: "rollback" })).toMatchObject({ ended: [two.messageId], schedule: null });
  expect(await early.row(waiting)).toMatchObject({ schedule: "blocked", pending: 1 });
  expect(await findViolations(early.db)).toEqual([]);
  await early.close();
});

describe("a retry of a failed message", () => {
  test("takes over its files, and their place before the next turn", async () => {
    const file = await input("/input/a");
    const first = (await scene.accept(session, { attachments: [file] })).messageId;
    const failure = { code: "timeout", message: "too slow" } as const;
    await turns.finishIfHeld(scene.db, await begin(), { ending: "failed", failure });
    expect(await scene.accept(session, { attachments: [file] })).toMatchObject({ outcome: "input_clash" });
    const again = await scene.accept(session, { attachments: [file], retryOf: first });
    expect(again).toMatchObject({ outcome: "accepted", sequenceNumber: 2 });
    expect(await pathsOf(first)).toEqual([]);
    expect(await turnDetails.listAttachmentsToPlace(scene.db, session, 2)).toMatchObject([
      { path: "/input/a", messageId: again.messageId },
    ]);
    expect(await drain()).toEqual([again.messageId]);
  });
});
