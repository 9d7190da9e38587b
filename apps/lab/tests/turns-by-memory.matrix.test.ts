// A worker whose turns outgrow its memory: those of the organization that holds most end and are retried, and turns of
// another organization neither end nor wait for long.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createClient } from "@dari/client";
import { createTestOrganization, findService } from "@dari/testkit";
import { deploy, ended, type Platform } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { scriptAgent, start, type Step } from "../src/script.ts";

let meeting: Rendezvous;
let fleet: Fleet;
beforeAll(async () => {
  meeting = await openRendezvous();
  fleet = await startFleet({ redisUrl: findService("redis")?.url });
  for (const worker of fleet.workers) await worker.stop();
  await fleet.startWorker({ DARI_WORKER_SLOTS: "100", DARI_WORKER_MEMORY_MB: "640", DARI_SESSION_IDLE_SECONDS: "0" });
}, 120_000);
afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  await meeting[Symbol.asyncDispose]();
}, 120_000);

const send = async (platform: Platform, agentId: string, ...steps: Step[]): Promise<string> => {
  const { id: session } = await platform.client.createSession(agentId);
  return (await start(platform, session, steps)).id;
};

test("greedy turns of one organization end and are retried, and another organization's turns run", async () => {
  const { rows } = await fleet.db.pool.query<{ slots: number }>("select slots from workers where not draining");
  expect(rows[0]!.slots).toBe(10);
  const { apiKey } = await createTestOrganization(fleet.db);
  const hostile: Platform = { apiUrl: fleet.apiUrl, apiKey, client: createClient({ apiUrl: fleet.apiUrl, apiKey }) };
  const { agentId: greedy } = await deploy(hostile, scriptAgent({ language: "python", max_attempts: 10 }));
  const { agentId: quiet } = await deploy(fleet, scriptAgent({ language: "typescript" }));

  const waiting = await send(fleet, quiet, ["meet", meeting.urlOf("memory")]);
  await meeting.arrived("memory");
  // In turns idle and greedy, so that the size of the last turn says nothing about the next one.
  const sent: string[] = [];
  for (let n = 0; n < 16; n++) sent.push(await send(hostile, greedy, ["grow", n % 2 === 0 ? 200 : 1, 2]));
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
  expect(await ended(fleet, waiting)).toMatchObject({ status: "completed", attempt: 1 });
  const failed = await fleet.db.pool.query<{ code: string }>(
    "select failure->>'code' as code from attempts where message_id = any ($1) and outcome = 'retry'",
    [sent],
  );
  expect(failed.rows.length).toBeGreaterThan(0);
  expect(new Set(failed.rows.map(({ code }) => code))).toEqual(new Set(["out_of_memory"]));
}, 300_000);
