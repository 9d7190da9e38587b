// What other messages, cancels, rollbacks and forks do to messages that steer a turn.

import { describe, expect, test } from "@jest/globals";
import { newId } from "@dari/domain";
import { sql } from "kysely";
import { heads, sessionExports, sessions, turns } from "../src/index.ts";
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
} from "./steering-scene.ts";
import { askedFor } from "./steps/place.ts";

useSteering();

describe("other messages and calls", () => {
  test("a message that waits can be cancelled until it is taken", async () => {
    const first = await send("one");
    const turn = await begin();
    const [second, third] = [await steer("two"), await steer("three")];
    const cancel = (id: string) => turns.cancelMessageOf(scene.db, scene.organizationId, id);
    expect(await cancel(second)).toMatchObject({ outcome: "cancelled" });
    expect(await take(turn)).toEqual(["three"]);
    expect(await cancel(third)).toMatchObject({ outcome: "delivered", deliveredIn: first });
    await complete(turn);
    expect(await cancel(third)).toMatchObject({ outcome: "terminal" });
    expect(await historyOf()).toEqual(["one", "+ three", "re: done"]);
  });

  test("merge leaves what the turn has taken; interrupt keeps it in the conversation", async () => {
    await send("one");
    const turn = await begin();
    const second = await steer("two");
    await take(turn);
    const third = await steer("three");
    const merging = await scene.accept(session, { text: "four", onBusy: "merge" });
    expect(merging).toMatchObject({ ended: [third] });
    expect(await take(turn, 1)).toEqual([]);
    const stopping = await scene.accept(session, { text: "five", onBusy: "interrupt" });
    expect(stopping).toMatchObject({ stopping: turn.messageId, ended: [] });
    const output = { parts: [{ type: "text", text: "so far" }] };
    await turns.finishIfHeld(scene.db, turn, { ending: "cancelled", output });
    expect(await rowOf(second)).toMatchObject({ state: "cancelled", steered_into: turn.messageId });
    expect(await historyOf()).toEqual(["one", "+ two", "re: so far"]);
    expect(await drain()).toEqual(["three", "five"]);
  });

  test("rollback cancels what the turn has taken, and all of it leaves the conversation", async () => {
    await send("one");
    const turn = await begin();
    const second = await steer("two");
    await take(turn);
    const rolling = await scene.accept(session, { text: "three", onBusy: "rollback" });
    expect(rolling).toMatchObject({ stopping: turn.messageId, ended: [second] });
    expect(await complete(turn)).toBe("cancelled");
    expect(await historyOf()).toEqual([]);
    expect(await drain()).toEqual(["three"]);
  });

  test("a session is rolled back to a turn with what it took, and not to a message that it took", async () => {
    const [first, second] = await steeredTurn();
    await send("three");
    await complete(await begin());
    const rollBack = (messageId: string) =>
      heads.rollBackIfIdle(scene.db, { organizationId: scene.organizationId, sessionId: session, messageId });
    expect(await rollBack(second)).toBe("merged");
    expect(await rollBack(first)).toBe("done");
    expect(await historyOf()).toEqual(["one", "+ two", "re: done"]);
  });

  test("a cancel of all leaves what the turn has taken to that turn, which may still complete", async () => {
    await send("one");
    const turn = await begin();
    const second = await steer("two");
    await take(turn);
    const third = await steer("three");
    const ending = { organizationId: scene.organizationId, sessionId: session, cancel: true };
    const { cancelled } = await sessions.completeSessionIfOpen(scene.db, ending);
    expect(cancelled).toEqual([
      { messageId: third, running: false },
      { messageId: turn.messageId, running: true },
    ]);
    expect(await rowOf(second)).toMatchObject({ state: "queued", steered_into: turn.messageId });
    expect(await complete(turn)).toBe("completed");
    expect(await historyOf()).toEqual(["one", "+ two", "re: done"]);
    expect(await scene.row(session)).toMatchObject({ pending: 0, schedule: "idle" });
  });

  test("a rollback of a turn that waits for an input: forks and exports leave out what it took", async () => {
    await send("one");
    const turn = await begin();
    await steer("two");
    await take(turn);
    const [asked, snapshot] = [askedFor("go-on"), emptySnapshot(null)];
    await turns.finishIfHeld(scene.db, turn, { ending: "suspended", asked, snapshot });
    const third = await send("three", { onBusy: "rollback" });
    expect(await drain()).toEqual(["three"]);
    const found = await sessionExports.findExport(scene.db, scene.organizationId, session);
    const exported = await sessionExports.listMessages(scene.db, found!, 0);
    expect(exported.rows.map(({ id }) => id)).toEqual([third]);
    const sessionId = newId("session");
    const input = { organizationId: scene.organizationId, sourceId: session, versionId: undefined, sessionId };
    const forked = await heads.forkSession(scene.db, { ...input, messageId: undefined, without: false });
    expect(forked).toBe("forked");
    const copied = await sql`select copied_from from messages where session_id = ${sessionId}`.execute(scene.db.kysely);
    expect(copied.rows).toEqual([{ copied_from: third }]);
  });

  test("a fork copies a turn with what it took, and its events name the copies", async () => {
    const [first, second] = await steeredTurn();
    await send("three");
    await complete(await begin());
    const fork = async (messageId: string, without = false) => {
      const sessionId = newId("session");
      const input = { organizationId: scene.organizationId, sourceId: session, versionId: undefined };
      return { sessionId, outcome: await heads.forkSession(scene.db, { ...input, messageId, without, sessionId }) };
    };
    expect((await fork(second)).outcome).toBe("merged");
    const { sessionId } = await fork(first);
    expect(await historyOf(sessionId)).toEqual(["one", "+ two", "re: done"]);
    const copied = await sql<{ id: string; into: string | null; at: number | null }>`select id,
      steered_into as "into", steered_event as at from messages where session_id = ${sessionId}
      order by sequence_number`.execute(scene.db.kysely);
    const [one, two] = copied.rows;
    expect([one?.into, two?.into]).toEqual([null, one?.id]);
    expect(await eventsAfter((two?.at ?? 0) - 1, sessionId)).toEqual([
      ["message.steered", two?.id, one?.id],
      ["message.completed", two?.id],
      ["assistant.message_completed", one?.id],
      ["workspace.committed", one?.id],
      ["message.completed", one?.id],
    ]);
  });
});

/** Runs a turn that takes its message in its second attempt, as in its first. */
async function steeredTurn(): Promise<[string, string]> {
  const first = await send("one");
  const lost = await begin();
  const second = await steer("two");
  await take(lost);
  await turns.finishIfHeld(scene.db, lost, { ending: "released" });
  const turn = await begin();
  await take(turn);
  await complete(turn);
  return [first, second];
}
