// A worker with 2 GiB whose turns outgrow them: turns of the organization that holds most end and are retried, and
// turns of other organizations neither end nor wait for them.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createClient } from "@dari/client";
import { createTestOrganization, findService, waitUntil } from "@dari/testkit";
import { deploy, ended, type Platform } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet, type FleetWorker } from "../src/fleet.ts";
import { createMemoryGroup } from "../src/memory-group.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { scriptAgent, start, type Step } from "../src/script.ts";

const group = createMemoryGroup(2 * 1024 ** 3);
const testThere = group === undefined ? test.skip : test;
let meeting: Rendezvous;
let fleet: Fleet;
let worker: FleetWorker;
beforeAll(async () => {
  meeting = await openRendezvous();
  fleet = await startFleet({ redisUrl: findService("redis")?.url, workers: 0 });
  worker = await fleet.startWorker({ DARI_WORKER_SLOTS: "100", DARI_SESSION_IDLE_SECONDS: "0" }, group?.through);
}, 240_000);
afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  await meeting[Symbol.asyncDispose]();
  await group?.remove();
}, 120_000);

async function addOrganization(): Promise<Platform> {
  const { apiKey } = await createTestOrganization(fleet.db);
  return { apiUrl: fleet.apiUrl, apiKey, client: createClient({ apiUrl: fleet.apiUrl, apiKey }) };
}

async function send(platform: Platform, agentId: string, ...steps: Step[]): Promise<string> {
  const { id: session } = await platform.client.createSession(agentId);
  return (await start(platform, session, steps)).id;
}

testThere(
  "greedy turns of one organization end and are retried, and other organizations' turns run",
  async () => {
    const { rows } = await fleet.db.pool.query<{ slots: number }>("select slots from workers where not draining");
    // What fits above twice the memory that is kept free, at 256 MiB each.
    expect(rows[0]!.slots).toBeGreaterThan(1);
    expect(rows[0]!.slots).toBeLessThan(7);
    const [hostile, patient] = [await addOrganization(), await addOrganization()];
    const limits = { max_attempts: 20, timeout_seconds: 600 };
    const { agentId: greedy } = await deploy(hostile, scriptAgent({ language: "python", ...limits }));
    const { agentId: slow } = await deploy(patient, scriptAgent({ language: "typescript", ...limits }));
    const { agentId: quiet } = await deploy(fleet, scriptAgent({ language: "typescript" }));

    const waiting = await send(patient, slow, ["meet", meeting.urlOf("memory")]);
    await meeting.arrived("memory");
    // Two of them fit, and three do not. They grow slowly, so that a slow worker ends one before the kernel does.
    const grow: Step = ["grow", 600, 30, meeting.urlOf("grown")];
    const sent: string[] = [];
    for (let n = 0; n < 3; n++) sent.push(await send(hostile, greedy, ["meet", meeting.urlOf("all")], grow));
    await meeting.arrived("all", sent.length);
    meeting.open("all");
    await waitUntil(async () => (await listEnded(sent)).length > 0, { what: "a turn to end", timeoutMs: 120_000 });
    expect(worker.readLog()).toContain("worker.memory_ended_turn");
    for (let n = 0; n < 2; n++) {
      const quick = await send(fleet, quiet, ["attempt"]);
      expect(await ended(fleet, quick)).toMatchObject({ status: "completed", attempt: 1 });
    }
    meeting.open("grown");
    for (const id of sent) expect((await ended(hostile, id, 240_000)).status).toBe("completed");
    meeting.open("memory");
    expect(await ended(patient, waiting)).toMatchObject({ status: "completed", attempt: 1 });
    expect(new Set(await listEnded(sent))).toEqual(new Set(["worker_lost"]));
  },
  600_000,
);

testThere(
  "a worker that starts with several organizations sets the limit of a turn aside for each",
  async () => {
    const second = await fleet.startWorker({ DARI_WORKER_SLOTS: "100" }, group?.through);
    await waitUntil(() => second.readLog().includes("worker.memory_bounds_slots"), { what: "the worker to say so" });
  },
  120_000,
);

/** Returns the failure code of each attempt of these messages that failed and was retried. */
async function listEnded(messages: readonly string[]): Promise<string[]> {
  const { rows } = await fleet.db.pool.query<{ code: string }>(
    "select failure->>'code' as code from attempts where message_id = any ($1) and outcome = 'retry'",
    [messages],
  );
  return rows.map(({ code }) => code);
}
