// A worker with 1.5 GiB whose turns outgrow them: those of the organization that holds most end and are retried, and
// turns of other organizations neither end nor wait for long.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createClient } from "@dari/client";
import { createTestOrganization, findService } from "@dari/testkit";
import { deploy, ended, type Platform } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet, type FleetWorker } from "../src/fleet.ts";
import { createMemoryGroup } from "../src/memory-group.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { scriptAgent, start, type Step } from "../src/script.ts";

const group = createMemoryGroup(1.5 * 1024 ** 3);
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
  group?.remove();
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
    expect(rows[0]!.slots).toBeLessThan(5);
    const [hostile, patient] = [await addOrganization(), await addOrganization()];
    const { agentId: greedy } = await deploy(hostile, scriptAgent({ language: "python", max_attempts: 10 }));
    const { agentId: slow } = await deploy(patient, scriptAgent({ language: "typescript", timeout_seconds: 600 }));
    const { agentId: quiet } = await deploy(fleet, scriptAgent({ language: "typescript" }));

    const waiting = await send(patient, slow, ["meet", meeting.urlOf("memory")]);
    await meeting.arrived("memory");
    // Some turns are small, so that the size of the last ones says little about the next one.
    const sent: string[] = [];
    for (let n = 0; n < 12; n++) sent.push(await send(hostile, greedy, ["grow", n % 3 === 0 ? 1 : 400, 2]));
    const quickMs: number[] = [];
    for (let n = 0; n < 5; n++) {
      const sentAt = performance.now();
      const quick = await send(fleet, quiet, ["attempt"]);
      expect(await ended(fleet, quick)).toMatchObject({ status: "completed", attempt: 1 });
      quickMs.push(performance.now() - sentAt);
    }
    expect(Math.max(...quickMs)).toBeLessThan(30_000);
    for (const id of sent) expect((await ended(hostile, id)).status).toBe("completed");
    meeting.open("memory");
    expect(await ended(patient, waiting)).toMatchObject({ status: "completed", attempt: 1 });
    const failed = await fleet.db.pool.query<{ code: string }>(
      "select failure->>'code' as code from attempts where message_id = any ($1) and outcome = 'retry'",
      [sent],
    );
    expect(failed.rows.length).toBeGreaterThan(0);
    expect(new Set(failed.rows.map(({ code }) => code))).toEqual(new Set(["out_of_memory"]));
    expect(worker.readLog()).toContain("worker.memory_ended_turn");
  },
  300_000,
);
