// Messages that steer a running turn, one step at a time, on a real database. Nothing is lost, nothing is taken twice.

import { describe, expect, test } from "@jest/globals";
import { limits } from "@dari/domain";
import { createTestFile } from "@dari/testkit";
import { sql } from "kysely";
import { dispatch, messageInputs, turns } from "../src/index.ts";
import { emptySnapshot } from "./scene.ts";
import {
  begin,
  complete,
  drain,
  eventsAfter,
  historyOf,
  rowOf,
  scene,
  send,
  session,
  steer,
  take,
  useSteering,
  waitAndContinue,
  waits,
} from "./steering-scene.ts";
import { agentError, askedFor } from "./steps/place.ts";

useSteering();

describe("a message that steers", () => {
  test("to an idle session is an ordinary message", async () => {
    expect(await scene.accept(session, { onBusy: "steer" })).toMatchObject({ schedule: "ready", steers: false });
    const turn = await begin();
    expect(await waits(turn)).toBe(false);
    expect(await take(turn)).toEqual([]);
    await complete(turn);
  });

  test("is taken at its place among the attempt's events, and ends before its turn", async () => {
    const first = await send("one");
    const turn = await begin();
    const accepted = await scene.accept(session, { text: "two", onBusy: "steer" });
    expect(accepted).toMatchObject({ steers: true, schedule: null, ended: null, stopping: null });
    expect(await waits(turn)).toBe(true);
    await turns.appendEventsIfHeld(scene.db, turn, [{ type: "agent.event", data: {}, number: 1 }]);
    expect(await take(turn)).toEqual(["two"]);
    await turns.appendEventsIfHeld(scene.db, turn, [{ type: "agent.event", data: {}, number: 2 }]);
    expect(await waits(turn)).toBe(false);
    const { steered_event: at, ...row } = await rowOf(accepted.messageId);
    expect(row).toMatchObject({ state: "queued", steered_into: first, merged_into: null });
    expect(await eventsAfter((at ?? 0) - 2)).toEqual([
      ["agent.event", first],
      ["message.steered", accepted.messageId, first],
      ["agent.event", first],
    ]);
    await complete(turn);
    expect(await eventsAfter((at ?? 0) + 1)).toEqual([
      ["message.status_changed", accepted.messageId, "completed"],
      ["message.completed", accepted.messageId],
      ["attempt.ended", first],
      ["assistant.message_completed", first],
      ["workspace.committed", first],
      ["message.status_changed", first, "completed"],
      ["message.completed", first],
      ["session.status_changed", null, "idle"],
    ]);
    expect(await rowOf(accepted.messageId)).toMatchObject({ state: "completed", merged_into: first, output: null });
    expect(await historyOf()).toEqual(["one", "+ two", "re: done"]);
    expect(await scene.row(session)).toMatchObject({ pending: 0, schedule: "idle" });
  });

  test("before the turn's claim is known at the claim, and several are taken in order", async () => {
    await send("one");
    await steer("two");
    await steer("three");
    const turn = await begin();
    expect(turn.details?.steeringWaits).toBe(true);
    expect(await take(turn)).toEqual(["two", "three"]);
    await steer("four");
    expect(await take(turn, 2)).toEqual(["four"]);
    await complete(turn);
    expect(await historyOf()).toEqual(["one", "+ two", "+ three", "+ four", "re: done"]);
  });

  test("is returned again to a worker whose reply was lost, and is not taken twice", async () => {
    await send("one");
    const turn = await begin();
    await steer("two");
    expect(await take(turn)).toEqual(["two"]);
    await steer("three");
    expect(await take(turn)).toEqual(["two", "three"]);
    expect((await scene.eventTypes(session)).filter((type) => type === "message.steered")).toHaveLength(2);
    await complete(turn);
  });

  test("waits behind a message that was not sent to steer, and steers the turn of that one", async () => {
    await send("one");
    const turn = await begin();
    await steer("two");
    await send("three");
    await steer("four");
    expect(await take(turn)).toEqual(["two"]);
    expect(await waits(turn)).toBe(false);
    await complete(turn);
    const next = await begin();
    expect(next.details?.steeringWaits).toBe(true);
    expect(await take(next)).toEqual(["four"]);
    await complete(next);
    expect(await historyOf()).toEqual(["one", "+ two", "re: done", "three", "+ four", "re: done"]);
  });

  test("becomes the next message if the turn does not take it", async () => {
    await send("one");
    const turn = await begin();
    const second = await steer("two");
    await complete(turn);
    expect(await rowOf(second)).toMatchObject({ state: "queued", steered_into: null });
    expect(await take(turn)).toBeUndefined();
    expect(await drain()).toEqual(["two"]);
    expect(await rowOf(second)).toMatchObject({ state: "completed", steered_into: null, merged_into: null });
  });

  test("is the next message if it had not reached the agent when the turn ended", async () => {
    await send("one");
    const turn = await begin();
    await steer("two");
    const third = await steer("three");
    expect(await take(turn)).toEqual(["two", "three"]);
    await complete(turn, 1);
    expect(await rowOf(third)).toMatchObject({ state: "queued", steered_into: null, steered_event: null });
    expect(await historyOf()).toEqual(["one", "+ two", "re: done"]);
    expect(await drain()).toEqual(["three"]);
  });

  test("with a file is queued, because files are placed when a turn starts", async () => {
    await send("one");
    const turn = await begin();
    const attachments = [{ path: "/input/a.txt", fileId: await createTestFile(scene.db, scene.organizationId) }];
    expect(await scene.accept(session, { onBusy: "steer", attachments })).toMatchObject({ steers: false });
    expect(await take(turn)).toEqual([]);
    await complete(turn);
    await drain();
  });

  test("as the session's default; the message's own word wins", async () => {
    await sql`update sessions set on_busy = 'steer' where id = ${session}`.execute(scene.db.kysely);
    await send("one");
    const turn = await begin();
    await send("two");
    await send("three", { onBusy: "enqueue" });
    expect(await take(turn)).toEqual(["two"]);
    await complete(turn);
    expect(await drain()).toEqual(["three"]);
  });

  test("above a limit of the attempt waits for its own turn", async () => {
    await send("one");
    const turn = await begin();
    const most = limits.steeringMessagesPerTurn;
    for (let n = 0; n < most + 2; n++) await steer(`s${n}`);
    expect(await take(turn)).toHaveLength(most);
    expect(await waits(turn)).toBe(false);
    expect(await take(turn, most)).toEqual([]);
    await complete(turn);
    const next = await begin();
    expect(await take(next)).toEqual([`s${most + 1}`]);
    await complete(next);

    await send("large");
    const large = await begin();
    await steer("x".repeat(limits.steeringBytesPerTurn - 100));
    await steer("y".repeat(200));
    expect(await take(large)).toHaveLength(1);
    expect(await waits(large)).toBe(false);
    await complete(large);
    expect(await drain()).toEqual(["y".repeat(200)]);
  });
});

describe("a turn that does not complete", () => {
  test.each([
    ["retry", { ending: "retry", failure: agentError, waitMs: 0 }],
    ["released", { ending: "released" }],
  ] as const)("%s: the next attempt takes the messages again", async (_name, ending) => {
    const first = await send("one");
    const turn = await begin();
    const second = await steer("two");
    expect(await take(turn)).toEqual(["two"]);
    await turns.finishIfHeld(scene.db, turn, ending);
    expect(await rowOf(second)).toMatchObject({ state: "queued", steered_into: null, steered_event: null });
    expect(await scene.row(session)).toMatchObject({ pending: 2 });
    await dispatch.reapExpired(scene.db, { limit: 10, graceMs: 0, overdueMs: 0, uncountedClaimsMax: 2 });
    const again = await begin();
    expect(again).toMatchObject({ messageId: first, details: { steeringWaits: true } });
    expect(await take(again)).toEqual(["two"]);
    await complete(again);
    expect(await historyOf()).toEqual(["one", "+ two", "re: done"]);
  });

  test.each([
    ["failed", "agent_error"],
    ["cancelled", "cancelled"],
  ] as const)("%s: what it took ends with it, and what it did not take runs next", async (ending, code) => {
    const first = await send("one");
    const turn = await begin();
    const second = await steer("two");
    await take(turn);
    const third = await steer("three");
    if (ending === "cancelled") await turns.cancelMessageOf(scene.db, scene.organizationId, first);
    await turns.finishIfHeld(scene.db, turn, { ending, failure: agentError });
    expect(await rowOf(second)).toMatchObject({
      state: ending,
      steered_into: first,
      merged_into: null,
      output: { error: { code } },
    });
    expect(await rowOf(third)).toMatchObject({ state: "queued", steered_into: null });
    expect(await drain()).toEqual(["three"]);
    expect(await historyOf()).toEqual(["three", "re: done"]);
  });

  test("a turn that was asked to stop takes nothing more", async () => {
    const first = await send("one");
    const turn = await begin();
    await steer("two");
    await turns.cancelMessageOf(scene.db, scene.organizationId, first);
    expect(await take(turn)).toEqual([]);
    await turns.finishIfHeld(scene.db, turn, { ending: "cancelled" });
    expect(await drain()).toEqual(["two"]);
  });

  test("a lost worker: the next attempt takes them; after the last one they fail with the turn", async () => {
    const first = await send("one");
    const second = await steer("two");
    const lose = async (): Promise<void> => {
      const turn = await begin();
      expect(await take(turn)).toEqual(["two"]);
      await sql`update sessions set lease_until = now() - interval '1 s' where id = ${session}`.execute(
        scene.db.kysely,
      );
      await dispatch.reapExpired(scene.db, { limit: 10, graceMs: 0, overdueMs: 0, uncountedClaimsMax: 2 });
      expect(await take(turn)).toBeUndefined();
      expect((await turns.finishIfHeld(scene.db, turn, { ending: "failed", failure: agentError }))?.recorded).not.toBe(
        "completed",
      );
    };
    await lose();
    expect(await rowOf(second)).toMatchObject({ state: "queued", steered_into: null });
    await lose();
    await lose();
    expect(await rowOf(first)).toMatchObject({ state: "failed" });
    expect(await rowOf(second)).toMatchObject({
      state: "failed",
      steered_into: first,
      output: { error: { code: "worker_lost" } },
    });
    expect(await scene.row(session)).toMatchObject({ pending: 0, schedule: "idle" });
  });

  test("a turn that waits for an input: what it took has ended; a message sent while it waits is queued", async () => {
    const first = await send("one");
    const turn = await begin();
    const second = await steer("two");
    await take(turn);
    await steer("three");
    const asked = askedFor("go-on");
    const snapshot = emptySnapshot(null);
    await turns.finishIfHeld(scene.db, turn, { ending: "suspended", asked, snapshot });
    expect(await rowOf(second)).toMatchObject({ state: "completed", steered_into: first, merged_into: first });
    expect(await scene.accept(session, { text: "four", onBusy: "steer" })).toMatchObject({ steers: false });
    const answer = { organizationId: scene.organizationId, messageId: first, key: "go-on", value: 1 };
    await messageInputs.answerIfWaiting(scene.db, { ...answer, dispatchTtlMs: undefined });
    const again = await begin();
    expect(again).toMatchObject({ messageId: first, details: { steeringWaits: true } });
    expect(await take(again)).toEqual(["three"]);
    await complete(again);
    expect(await historyOf()).toEqual(["one", "+ two", "+ three", "re: done"]);
    expect(await drain()).toEqual(["four"]);
  });

  test("a turn that waits for an input: its next attempts are told what it took, until it ends", async () => {
    const first = await send("one");
    const turn = await begin();
    expect(turn.details?.takenBefore).toEqual([]);
    const [second] = [await steer("two"), await steer("three")];
    expect(await take(turn)).toEqual(["two", "three"]);
    const again = await waitAndContinue(turn, 1);
    const before = [{ id: second, parts: [{ type: "text", text: "two" }] }];
    expect(again).toMatchObject({ messageId: first, details: { steeringWaits: true, takenBefore: before } });
    expect(await take(again)).toEqual(["three"]);
    await turns.finishIfHeld(scene.db, again, { ending: "released" });
    const last = await begin();
    expect(last.details?.takenBefore).toEqual(before);
    expect(await take(last)).toEqual(["three"]);
    await complete(last);
    await send("four");
    const next = await begin();
    expect(next.details?.takenBefore).toEqual([]);
    await complete(next);
  });

  test("a turn that waits for an input: the limits apply to all that it takes", async () => {
    await send("one");
    const turn = await begin();
    const most = limits.steeringMessagesPerTurn;
    for (let n = 0; n < most; n++) await steer(`s${n}`);
    expect(await take(turn)).toHaveLength(most);
    const again = await waitAndContinue(turn);
    await steer("late");
    expect(await take(again)).toEqual([]);
    expect(await waits(again)).toBe(false);
    await complete(again);
    expect(await drain()).toEqual(["late"]);
  });
});
