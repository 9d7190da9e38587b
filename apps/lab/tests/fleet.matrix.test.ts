// Many workers, and failures of workers and of the queue: no message is lost, none runs twice, and the order is kept.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { MessageRecord } from "@dari/contract";
import { openTurnQueue } from "@dari/queue";
import { atNight, describeWith, findService, waitUntil, type Services } from "@dari/testkit";
import { deploy, ended, textOf } from "../src/conversation.ts";
import { attemptDirectories, noRemains, startFleet, type Fleet, type FleetWorker } from "../src/fleet.ts";
import { processesMarked } from "../src/processes.ts";
import { startRedisServer, type RedisServer } from "../src/redis-server.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { playScript, resultsOf, scriptAgent, start, type Step } from "../src/script.ts";

let meeting: Rendezvous;

beforeAll(async () => {
  meeting = await openRendezvous();
}, 120_000);

afterAll(async () => {
  await meeting[Symbol.asyncDispose]();
}, 120_000);

async function sessionOf(fleet: Fleet, agentId: string): Promise<string> {
  return (await fleet.client.createSession(agentId)).id;
}

const living = (fleet: Fleet): FleetWorker[] => fleet.workers.filter((worker) => worker.isRunning);

/** Starts workers until three run. */
async function startThreeWorkers(fleet: Fleet): Promise<void> {
  while (living(fleet).length < 3) await fleet.startWorker();
}

/** The first turn's worker ends; the second turn finds everything on another worker without a cache. */
async function moveSession(fleet: Fleet): Promise<void> {
  const { agentId } = await deploy(fleet, scriptAgent());
  const session = await sessionOf(fleet, agentId);
  const large = "x".repeat(300_000);
  await playScript(fleet, session, [
    ["write", "output/small.txt", "small"],
    ["write", "large.txt", large],
    ["write", "tool.sh", "#!/bin/sh"],
    ["chmod", "tool.sh", "755"],
    ["mkdir", "empty"],
    ["writeHome", "memory.json", "remembered"],
  ]);
  for (const worker of living(fleet)) expect(await worker.stop()).toEqual({ code: 0, signal: null });
  await fleet.startWorker();
  const record = await playScript(fleet, session, [
    ["read", "output/small.txt"],
    ["read", "large.txt"],
    ["mode", "tool.sh"],
    ["list", "empty"],
    ["readHome", "memory.json"],
  ]);
  expect(resultsOf(record)).toEqual(["small", large, "755", [], "remembered"]);
  expect(record.files_changed).toEqual([]);
  const { rows } = await fleet.db.pool.query("select distinct worker_id from attempts where session_id = $1", [
    session,
  ]);
  expect(rows).toHaveLength(2);
}

describe("a fleet", () => {
  let fleet: Fleet;
  let agentId: string;

  beforeAll(async () => {
    fleet = await startFleet({ redisUrl: findService("redis")?.url });
    ({ agentId } = await deploy(fleet, scriptAgent({ max_attempts: 2 })));
  }, 120_000);

  afterAll(async () => {
    expect(await fleet.close()).toEqual(noRemains);
  }, 120_000);

  test("continues a session on a worker with empty caches, objects in a directory", () => moveSession(fleet));

  atNight(test)("runs twenty messages of one session over three workers one after the other, in order", async () => {
    await startThreeWorkers(fleet);
    const session = await sessionOf(fleet, agentId);
    await playScript(fleet, session, [["write", "log", ""]]);
    const sent: MessageRecord[] = [];
    for (let n = 1; n <= 20; n++)
      sent.push(
        await start(fleet, session, [
          ["append", "log", `${n} `],
          ["read", "log"],
        ]),
      );
    const records = await Promise.all(sent.map(({ id }) => ended(fleet, id)));
    for (const [index, record] of records.entries()) {
      const numbers = Array.from({ length: index + 1 }, (_, n) => `${n + 1} `).join("");
      expect(resultsOf(record)).toEqual([null, numbers]);
      expect(record).toMatchObject({ sequence_number: index + 2, attempt: 1 });
    }
    const times = records.map((record) => Date.parse(record.completed_at ?? ""));
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  test("gives many sessions to all of its workers", async () => {
    await startThreeWorkers(fleet);
    const sessions = await Promise.all(Array.from({ length: 12 }, () => sessionOf(fleet, agentId)));
    const point = "all-workers";
    const sent = await Promise.all(sessions.map((session) => start(fleet, session, [["meet", meeting.urlOf(point)]])));
    // Three workers of four slots each: the turns meet only if all twelve run at once.
    await meeting.arrived(point, 12);
    meeting.open(point);
    for (const { id } of sent) expect((await ended(fleet, id)).status).toBe("completed");
  });

  test("a worker that is asked to stop lets its turn end within the grace period", async () => {
    const { worker, id } = await holdTurn("grace");
    const stopping = worker.stop();
    await waitUntil(isDraining, { what: "the worker to drain" });
    meeting.open("grace");
    expect(await ended(fleet, id)).toMatchObject({ status: "completed", attempt: 1 });
    expect(await stopping).toEqual({ code: 0, signal: null });
    expect(meeting.arrivals("grace")).toBe(1);
  });

  test("a worker that must stop gives its turn back, and no attempt is used", async () => {
    const { worker, id } = await holdTurn("given-back", { DARI_SHUTDOWN_GRACE_MS: "200" });
    const stopping = worker.stop();
    await fleet.startWorker();
    expect(await stopping).toEqual({ code: 0, signal: null });
    await meeting.arrived("given-back", 2);
    expect(await fleet.client.getMessage(id)).toMatchObject({ status: "running", attempt: 1 });
    meeting.open("given-back");
    const record = await ended(fleet, id);
    expect(record).toMatchObject({ status: "completed", attempt: 1 });
    expect(await outcomesOf(record)).toEqual(["released", "completed"]);
  });

  test("a worker that is killed loses its turn, which counts and runs again elsewhere", async () => {
    const { worker, id } = await holdTurn("killed");
    await worker.kill();
    await fleet.startWorker();
    await meeting.arrived("killed", 2);
    meeting.open("killed");
    const record = await ended(fleet, id);
    expect(record).toMatchObject({ status: "completed", attempt: 2 });
    expect(await outcomesOf(record)).toEqual(["lost", "completed"]);
    // No process of the killed worker's agent remains, and the next worker on its directory deletes its files.
    await waitUntil(() => processesMarked(worker.workDir).length === 0, { what: "the agent to die with its worker" });
    expect(attemptDirectories(worker.workDir)).toHaveLength(1);
    const next = await fleet.startWorker({ DARI_WORK_DIR: worker.workDir });
    expect(attemptDirectories(worker.workDir)).toEqual([]);
    await next.stop();
  }, 120_000);

  atNight(test)(
    "with one attempt, the turn of a killed worker runs once more, with the same operation key",
    async () => {
      const once = await deploy(fleet, scriptAgent({ max_attempts: 1 }));
      const before = [["emitKey"]] as const;
      const { worker, id, session } = await holdTurn("killed-once", {}, before, once.agentId);
      await waitUntil(async () => (await keysOf(session)).length === 1, { what: "the key of the first attempt" });
      await worker.kill();
      await fleet.startWorker();
      await meeting.arrived("killed-once", 2);
      expect(await fleet.client.getMessage(id)).toMatchObject({ status: "running", attempt: 2, max_attempts: 2 });
      meeting.open("killed-once");
      const record = await ended(fleet, id);
      expect(record).toMatchObject({ status: "completed", attempt: 2, max_attempts: 2 });
      expect(await outcomesOf(record)).toEqual(["lost", "completed"]);
      expect(await keysOf(session)).toEqual([
        { attempt: 1, operationKey: id },
        { attempt: 2, operationKey: id },
      ]);
      const { data } = await fleet.client.listEvents(session, { limit: 200 });
      const errors = data.flatMap((event) => (event.type === "attempt.ended" ? [event.data.error] : []));
      const message = "the worker that ran the turn was lost, or had no memory left; the turn is run again";
      expect(errors).toEqual([{ code: "worker_lost", message }, undefined]);
    },
    120_000,
  );

  atNight(test)(
    "with on_worker_lost: false, the turn of a killed worker fails with worker_lost",
    async () => {
      const never = await deploy(fleet, scriptAgent({ max_attempts: 1, on_worker_lost: false }));
      const { worker, id } = await holdTurn("killed-never", {}, [], never.agentId);
      await worker.kill();
      await fleet.startWorker();
      const record = await ended(fleet, id);
      expect(record).toMatchObject({ status: "failed", attempt: 1, max_attempts: 1 });
      expect(record.output?.error).toMatchObject({ code: "worker_lost", message: expect.stringContaining("retries") });
      expect(await outcomesOf(record)).toEqual(["lost"]);
      expect(meeting.arrivals("killed-never")).toBe(1);
    },
    120_000,
  );

  test("cancel ends a queued message immediately and a running one by stopping it", async () => {
    const { id: running, session } = await holdTurn("cancelled", {}, [["write", "half.txt", "x"]]);
    const queued = await start(fleet, session, [["attempt"]]);
    const after = await start(fleet, session, [["list", "."]]);
    expect(await fleet.client.cancelMessage(queued.id)).toMatchObject({ status: "cancelled" });
    await fleet.client.cancelMessage(running);
    const record = await ended(fleet, running);
    expect(record).toMatchObject({ status: "cancelled", output: { error: { code: "cancelled" } }, files_changed: [] });
    expect(await ended(fleet, queued.id)).toMatchObject({ status: "cancelled", started_at: null });
    const [files] = resultsOf(await ended(fleet, after.id)) as [string[]];
    expect(files).not.toContain("half.txt");
    expect((await fleet.client.getSession(session)).status).toBe("idle");
  });

  /** Starts a worker with a turn of a new session that waits at `point`. */
  async function holdTurn(
    point: string,
    env: Readonly<Record<string, string>> = {},
    before: readonly Step[] = [],
    agent: string = agentId,
  ): Promise<{ worker: FleetWorker; id: string; session: string }> {
    for (const worker of living(fleet)) await worker.stop();
    const worker = await fleet.startWorker(env);
    const session = await sessionOf(fleet, agent);
    const { id } = await start(fleet, session, [...before, ["meet", meeting.urlOf(point)]]);
    await meeting.arrived(point);
    return { worker, id, session };
  }

  async function isDraining(): Promise<boolean> {
    return (await fleet.db.pool.query("select id from workers where draining")).rows.length > 0;
  }

  /** What the attempts of a session's turn emitted as `key`. */
  async function keysOf(session: string): Promise<unknown[]> {
    const { data } = await fleet.client.listEvents(session, { limit: 200 });
    return data.flatMap((event) => (event.type === "agent.event" ? [event.data.data] : []));
  }

  async function outcomesOf({ id }: MessageRecord): Promise<unknown[]> {
    const sql = "select outcome from attempts where message_id = $1 order by fence";
    const { rows } = await fleet.db.pool.query<{ outcome: string }>(sql, [id]);
    return rows.map((row) => row.outcome);
  }
});

describeWith("s3", "on S3", (s3: Services["s3"]) => {
  test("a session continues on a worker with empty caches", async () => {
    const fleet = await startFleet({ s3, redisUrl: findService("redis")?.url });
    try {
      await moveSession(fleet);
    } finally {
      expect(await fleet.close()).toEqual(noRemains);
    }
  });
});

describeWith("redis", "when Redis fails", () => {
  let redis: RedisServer;
  let fleet: Fleet;
  let agentId: string;

  beforeAll(async () => {
    redis = await startRedisServer();
    fleet = await startFleet({ redisUrl: redis.url, workers: 2 });
    ({ agentId } = await deploy(fleet, scriptAgent()));
  }, 120_000);

  afterAll(async () => {
    try {
      expect(await fleet.close()).toEqual(noRemains);
    } finally {
      await redis[Symbol.asyncDispose]();
    }
  }, 120_000);

  test("all of a hundred waiting messages complete after FLUSHALL", async () => {
    const queue = openTurnQueue({ redisUrl: redis.url, prefix: fleet.queuePrefix, pool: "default" });
    try {
      for (const worker of fleet.workers) worker.signal("SIGSTOP");
      const sessions = await Promise.all(Array.from({ length: 20 }, () => sessionOf(fleet, agentId)));
      const sent: MessageRecord[] = [];
      for (let round = 0; round < 5; round++) {
        sent.push(...(await Promise.all(sessions.map((session) => start(fleet, session, [["attempt"]])))));
      }
      await waitUntil(async () => (await queue.jobs("waiting")).length > 0, { what: "jobs that can be lost" });
      expect(await redis.command("FLUSHALL")).toBe("+OK");
      for (const worker of fleet.workers) worker.signal("SIGCONT");
      const records = await Promise.all(sent.map(({ id }) => ended(fleet, id)));
      expect(records.map(textOf)).toEqual(sent.map(() => "[1]"));
    } finally {
      for (const worker of fleet.workers) worker.signal("SIGCONT");
      await queue.close();
    }
  }, 120_000);

  test("turns run by direct pull while it is away, and by jobs once it is back", async () => {
    const session = await sessionOf(fleet, agentId);
    const { id: running } = await start(fleet, session, [["meet", meeting.urlOf("outage")], ["attempt"]]);
    const { id: waiting } = await start(fleet, session, [["attempt"]]);
    await meeting.arrived("outage");
    await redis.kill();
    const others = await Promise.all(Array.from({ length: 6 }, () => sessionOf(fleet, agentId)));
    const sent = await Promise.all(others.map((other) => start(fleet, other, [["attempt"]])));
    for (const { id } of sent) expect(resultsOf(await ended(fleet, id))).toEqual([1]);
    meeting.open("outage");
    expect(resultsOf(await ended(fleet, running))).toEqual(["go", 1]);
    expect(resultsOf(await ended(fleet, waiting))).toEqual([1]);

    await redis.start("nothing");
    const queue = openTurnQueue({ redisUrl: redis.url, prefix: fleet.queuePrefix, pool: "default" });
    // A job is settled after its message has ended, so it may appear only in the next look at the list.
    const played = new Set<string>();
    try {
      await waitUntil(
        async () => {
          played.add((await playScript(fleet, session, [["attempt"]])).id);
          return (await queue.jobs("completed")).some((job) => played.has(job.messageId));
        },
        { what: "a turn that was a job", timeoutMs: 30_000 },
      );
    } finally {
      await queue.close();
    }
  }, 120_000);
});
