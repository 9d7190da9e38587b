// A worker's repeated call is recorded once, and a contradictory one delays no other.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "@dari/domain";
import { sql } from "kysely";
import { dispatch, findViolations, turns, type ClaimedTurn } from "../src/index.ts";
import { openScene, type Scene } from "./scene.ts";

let scene: Scene;
let turn: ClaimedTurn;
beforeAll(async () => {
  scene = await openScene();
  const session = await scene.session();
  await scene.send(session);
  turn = await scene.claim(session);
});
afterAll(() => scene.close());

const agentError = { code: "agent_error", message: "it threw" } as const;

async function eventsOf(sessionId: string): Promise<unknown[]> {
  const rows = await sql<{ data: unknown }>`select data from events where session_id = ${sessionId}
    and type = 'agent.event' order by sequence_number`.execute(scene.db.kysely);
  return rows.rows.map((row) => row.data);
}

test("an event whose commit's reply was lost is recorded once", async () => {
  const append = (number: number) =>
    turns.appendEventsIfHeld(scene.db, turn, [{ type: "agent.event", data: { name: `e${number}` }, number }]);
  for (const number of [1, 1, 2, 2, 2, 3]) expect(await append(number)).toBe(true);
  expect(await eventsOf(turn.sessionId)).toEqual([{ name: "e1" }, { name: "e2" }, { name: "e3" }]);
});

test("ten calls for one event at the same time are one event", async () => {
  const e4 = { type: "agent.event", data: { name: "e4" }, number: 4 };
  const append = () => turns.appendEventsIfHeld(scene.db, turn, [e4]);
  expect(await Promise.all(Array.from({ length: 10 }, append))).toEqual(Array.from({ length: 10 }, () => true));
  expect(await eventsOf(turn.sessionId)).toHaveLength(4);
});

test("events of one call are recorded in their order, and those that were recorded before are not", async () => {
  const batch = (...numbers: number[]) =>
    turns.appendEventsIfHeld(
      scene.db,
      turn,
      numbers.map((number) => ({ type: "agent.event", data: { name: `e${number}` }, number })),
    );
  for (const numbers of [[5, 6], [5, 6, 7], [7]]) expect(await batch(...numbers)).toBe(true);
  expect((await eventsOf(turn.sessionId)).slice(4)).toEqual([{ name: "e5" }, { name: "e6" }, { name: "e7" }]);
  expect(await turns.appendEventsIfHeld(scene.db, { ...turn, fence: turn.fence + 1 }, [])).toBe(false);
});

test("log lines that are written again are there once", async () => {
  const line = (sequenceNumber: number) => ({ sequenceNumber, stream: "stdout", text: `${sequenceNumber}` }) as const;
  expect(await turns.appendLogsIfHeld(scene.db, turn, [line(1), line(2)])).toBe(true);
  expect(await turns.appendLogsIfHeld(scene.db, turn, [line(1), line(2), line(3)])).toBe(true);
  const rows = await sql<{ text: string }>`select text from attempt_logs where attempt_id = ${turn.attemptId}
    order by sequence_number`.execute(scene.db.kysely);
  expect(rows.rows.map((row) => row.text)).toEqual(["1", "2", "3"]);
  await turns.finishIfHeld(scene.db, turn, { ending: "failed", failure: agentError });
  expect(await findViolations(scene.db)).toEqual([]);
});

test("a row that contradicts itself does not keep direct pull from the others", async () => {
  const [broken, whole] = [await scene.session(), await scene.session()];
  await scene.send(broken);
  await dispatch.dispatchIfReady(scene.db, [{ organizationId: scene.organizationId, count: 1 }], 1_000);
  await sql`update messages set state = 'running', fence = 7 where session_id = ${broken}`.execute(scene.db.kysely);
  await scene.send(whole);
  await dispatch.dispatchIfReady(scene.db, [{ organizationId: scene.organizationId, count: 1 }], 60_000);
  const pull = () =>
    turns.claimNextIfAny(scene.db, newId("attempt"), { workerId: "w", leaseMs: 60_000, guarantees: {} });
  expect((await pull())?.sessionId).toBe(whole);
  expect(await pull()).toBeUndefined();
  const named = (await findViolations(scene.db)).map((violation) => violation.invariant);
  expect(named).toContain("lease_has_its_running_message");
});
