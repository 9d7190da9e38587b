// A worker is stopped for longer than its lease and resumes: nothing that it does is recorded.

import { existsSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { findService, waitUntil } from "@dari/testkit";
import { deploy, ended } from "../src/conversation.ts";
import { attemptDirectories, noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { processesMarked } from "../src/processes.ts";
import { mountsBelow } from "../src/remove-directory.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { playScript, resultsOf, scriptAgent, start } from "../src/script.ts";

let fleet: Fleet;
let meeting: Rendezvous;
let agentId: string;

beforeAll(async () => {
  meeting = await openRendezvous();
  // The harness's lease: three seconds.
  fleet = await startFleet({ redisUrl: findService("redis")?.url });
  ({ agentId } = await deploy(fleet, scriptAgent({ max_attempts: 3 })));
}, 120_000);

afterAll(async () => {
  await meeting[Symbol.asyncDispose]();
  expect(await fleet.close()).toEqual(noRemains);
}, 120_000);

/** Everything that is recorded of the session. */
async function recordsOf(sessionId: string): Promise<unknown> {
  const read = (text: string): Promise<unknown> =>
    fleet.db.pool.query(text, [sessionId]).then((result) => result.rows as unknown);
  return {
    session: await read("select to_jsonb(s) as row from sessions s where id = $1"),
    messages: await read("select to_jsonb(m) as row from messages m where session_id = $1 order by id"),
    attempts: await read("select to_jsonb(a) as row from attempts a where session_id = $1 order by id"),
    events: await read("select to_jsonb(e) as row from events e where session_id = $1 order by sequence_number"),
    snapshots: await read("select to_jsonb(s) as row from snapshots s where session_id = $1 order by id"),
    logs: await read(`select to_jsonb(l) as row from attempt_logs l join attempts a on a.id = l.attempt_id
      where a.session_id = $1 order by 1`),
  };
}

test("it writes nothing, ends its agent, and continues with new work", async () => {
  using stack = new DisposableStack();
  const frozen = fleet.workers[0]!;
  const { id: session } = await fleet.client.createSession(agentId);
  const steps = [
    ["daemon", `mark-frozen-${process.pid}`, "ticks.txt"],
    ["meet", meeting.urlOf("frozen")],
    ["write", "once.txt", "x"],
    ["attempt"],
  ] as const;
  const { id } = await start(fleet, session, steps);
  await meeting.arrived("frozen");
  frozen.signal("SIGSTOP");
  // The worker must be able to end, whatever fails.
  stack.defer(() => frozen.signal("SIGCONT"));
  const other = await fleet.startWorker();
  await meeting.arrived("frozen", 2);
  // Both agents continue: the frozen worker resumes with a turn that is complete and a lease that another worker holds.
  meeting.open("frozen");
  const record = await ended(fleet, id);
  expect(record).toMatchObject({ status: "completed", attempt: 2 });
  const before = await recordsOf(session);

  frozen.signal("SIGCONT");
  await waitUntil(() => attemptDirectories(frozen.workDir).length === 0, { what: "the old turn to be cleared up" });
  await waitUntil(() => processesMarked(`mark-frozen-${process.pid}`).length === 0, { what: "the old agent's end" });
  expect(await other.stop()).toEqual({ code: 0, signal: null });
  expect(await recordsOf(session)).toEqual(before);

  const next = await playScript(fleet, session, [["read", "once.txt"], ["attempt"]]);
  expect(resultsOf(next)).toEqual(["x", 1]);
  const { rows } = await fleet.db.pool.query<{ worker: string; outcome: string }>(
    "select worker_id as worker, outcome from attempts where session_id = $1 order by fence",
    [session],
  );
  expect(rows.map((row) => row.outcome)).toEqual(["lost", "completed", "completed"]);
  expect(rows[2]?.worker).toBe(rows[0]?.worker);
}, 120_000);

test("a fleet with a stopped worker is closed, and nothing of it stays mounted", async () => {
  const other = await startFleet({ redisUrl: findService("redis")?.url, env: { DARI_SHUTDOWN_GRACE_MS: "1000" } });
  const deployed = await deploy(other, scriptAgent({ max_attempts: 3 }));
  const { id: session } = await other.client.createSession(deployed.agentId);
  await start(other, session, [
    ["write", "kept.txt", "x"],
    ["meet", meeting.urlOf("standing")],
  ]);
  await meeting.arrived("standing");
  other.workers[0]!.signal("SIGSTOP");
  expect(await other.close()).toEqual(noRemains);
  expect([await mountsBelow(other.dir), existsSync(other.dir)]).toEqual([[], false]);
}, 120_000);
