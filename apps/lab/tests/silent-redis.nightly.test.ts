// A fleet whose Redis accepts connections but never answers: turns run, programs report their state, and all end
// cleanly. Also a worker that has more slots than memory.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { freePort } from "@dari/embedded";
import { describeWith, startFaultProxy, waitUntil, type FaultProxy } from "@dari/testkit";
import { deploy, ended } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { scriptAgent, start } from "../src/script.ts";

interface Report {
  readonly status: number;
  readonly checks: Readonly<Record<string, string>>;
}

async function readiness(url: string): Promise<Report> {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, checks: ((await response.json()) as Report).checks };
}

describeWith("redis", "a fleet with a silent Redis", (redis) => {
  let meeting: Rendezvous;
  let proxy: FaultProxy;
  let fleet: Fleet;
  let agentId: string;

  beforeAll(async () => {
    meeting = await openRendezvous();
    const url = new URL(redis.url);
    proxy = await startFaultProxy({ port: Number(url.port) });
    url.port = String(proxy.port);
    fleet = await startFleet({ redisUrl: url.href });
    ({ agentId } = await deploy(fleet, scriptAgent({ max_attempts: 2 })));
  }, 120_000);

  afterAll(async () => {
    // Redis is still silent, and every program ends nevertheless.
    expect(await fleet.close()).toEqual(noRemains);
    await proxy[Symbol.asyncDispose]();
    await meeting[Symbol.asyncDispose]();
  }, 120_000);

  const send = async (point: string): Promise<string> => {
    const { id: session } = await fleet.client.createSession(agentId);
    return (await start(fleet, session, [["meet", meeting.urlOf(point)]])).id;
  };

  async function onlyWorker(env: Readonly<Record<string, string>>): Promise<{ url: string; stop(): Promise<unknown> }> {
    for (const worker of fleet.workers) if (worker.isRunning) await worker.stop();
    const port = await freePort();
    const worker = await fleet.startWorker({ ...env, DARI_HEALTH_PORT: String(port) });
    return { url: `http://127.0.0.1:${port}`, stop: () => worker.stop() };
  }

  test("a worker starts no more turns than its memory allows, and offers no more slots", async () => {
    const memory = { DARI_WORKER_MEMORY_MB: "1100", DARI_TURN_RESERVED_MB: "512" };
    await onlyWorker({ DARI_WORKER_SLOTS: "8", ...memory });
    const { rows } = await fleet.db.pool.query("select slots from workers where not draining");
    expect(rows).toEqual([{ slots: 2 }]);
    const sent = await Promise.all(Array.from({ length: 4 }, () => send("memory")));
    await meeting.arrived("memory", 2);
    const running = await fleet.db.pool.query("select 1 from sessions where schedule = 'leased'");
    expect(running.rows).toHaveLength(2);
    expect(meeting.arrivals("memory")).toBe(2);
    meeting.open("memory");
    for (const id of sent) expect((await ended(fleet, id)).status).toBe("completed");
  }, 120_000);

  test("turns run, and a worker that must stop gives its turn back within its grace and exits well", async () => {
    const worker = await onlyWorker({ DARI_SHUTDOWN_GRACE_MS: "200" });
    const fine = { leases: "ok", feed: "ok", memory: "ok", presence: "ok", serving: "ok" };
    const first = await waitUntil(() => readiness(worker.url), { what: "the worker's health to be served" });
    expect(first).toEqual({ status: 200, checks: fine });
    expect(await readiness(fleet.apiUrl)).toEqual({
      status: 200,
      checks: { database: "ok", accepting: "ok", serving: "ok" },
    });
    proxy.blackHole();
    const id = await send("given-back");
    await meeting.arrived("given-back");
    expect((await readiness(worker.url)).status).toBe(200);
    const startedAt = performance.now();
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    await onlyWorker({});
    await meeting.arrived("given-back", 2);
    meeting.open("given-back");
    expect(await ended(fleet, id)).toMatchObject({ status: "completed", attempt: 1 });
    const { rows } = await fleet.db.pool.query("select outcome from attempts where message_id = $1 order by fence", [
      id,
    ]);
    expect(rows).toEqual([{ outcome: "released" }, { outcome: "completed" }]);
    await waitUntil(() => fleet.api.isRunning && fleet.reconciler.isRunning, { what: "the other programs" });
  }, 120_000);
});
