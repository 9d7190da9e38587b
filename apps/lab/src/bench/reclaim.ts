// Measures how long a turn stands still after kill -9 of its worker: from the kill until another worker has claimed it,
// with default settings, beside a BullMQ job with its defaults. Both lose their workers at the same moments. Expected:
// the rest of a lease of 15 s, which is renewed every 5 s, and at most a second until the reaper runs; BullMQ checks
// every 30 s, and recovers at its second check.
//
//   npm run lab -- bench/reclaim [--smoke] [--kills 20]

import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@dari/client";
import { startRedis } from "@dari/embedded";
import { createTestSession, listClaims, waitUntil } from "@dari/testkit";
import { machineEnvironment } from "../config.ts";
import { startProgram, type Program } from "../program.ts";
import { makeDir } from "./contestant.ts";
import { startPlatform, type Platform } from "./platform.ts";
import { spreadOf } from "./statistics.ts";
import { gate, report } from "./verdict.ts";
import { readFlags } from "../flags.ts";

const flags = readFlags({ smoke: { type: "boolean", default: false }, kills: { type: "string", default: "20" } });
const { values } = flags;
const parameters = {
  kills: values.smoke ? 3 : flags.whole("kills"),
  kills_spread_over_ms: values.smoke ? 500 : 15_000,
  lease_ms: values.smoke ? 3_000 : 15_000,
  bullmq_lock_and_stall_ms: values.smoke ? 5_000 : 30_000,
};
const reclaimedWithinMs = 180_000;
const oneByOne = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** A worker with one turn, and when it was killed. */
interface Victim {
  readonly program: Program;
  killedAtMs: number;
}

async function killAll(victims: readonly Victim[]): Promise<void> {
  const gapMs = parameters.kills_spread_over_ms / victims.length;
  for (const victim of victims) {
    await victim.program.kill();
    victim.killedAtMs = Date.now();
    await sleep(gapMs);
  }
}

/** Starts workers with one endless turn each, and then a worker with slots for all of them. */
async function prepareDari(platform: Platform): Promise<Victim[]> {
  const victims: Victim[] = [];
  for (const i of oneByOne(parameters.kills)) {
    const program = await platform.startWorker(`victim-${i}`, { DARI_WORKER_SLOTS: "1" });
    victims.push({ program, killedAtMs: 0 });
  }
  const client = createClient(platform);
  for (const _ of victims) {
    const session = await createTestSession(platform.servers.db, platform.organizationId, platform.agentId);
    await client.sendMessageAsync(session, { parts: [{ type: "text", text: "500000" }] });
  }
  const isHeld = async (): Promise<boolean> => (await listClaims(platform.servers.db)).length === victims.length;
  await waitUntil(isHeld, { what: "every worker to hold a turn", timeoutMs: 60_000 });
  // Its last turns are not waited for.
  await platform.startWorker("survivor", { DARI_SHUTDOWN_GRACE_MS: "0" });
  return victims;
}

async function reclaimsOfDari(platform: Platform, victims: readonly Victim[]): Promise<number[]> {
  const reclaims = async (): Promise<number[] | undefined> => {
    const bySession = Map.groupBy(await listClaims(platform.servers.db), (claim) => claim.sessionId);
    const times = [...bySession.values()].flatMap(([first, second]) => {
      const victim = victims.find(({ program }) => program.pid === first?.pid);
      return victim === undefined || second === undefined ? [] : [second.claimedAt.getTime() - victim.killedAtMs];
    });
    return times.length === victims.length ? times : undefined;
  };
  return waitUntil(reclaims, { what: "every turn to be claimed again", timeoutMs: reclaimedWithinMs });
}

interface Holders {
  start(name: string, env: Readonly<Record<string, string>>): Promise<Program>;
}

async function openHolders(stack: AsyncDisposableStack): Promise<Holders> {
  const dir = await makeDir("reclaim", stack);
  const redis = stack.use(await startRedis({ dir: path.join(dir, "redis") }));
  const stall = values.smoke ? { HOLDER_STALL_MS: String(parameters.bullmq_lock_and_stall_ms) } : {};
  return {
    async start(name, own) {
      const env = { ...machineEnvironment(), REDIS_URL: redis.url, ...stall, ...own };
      const entry = "apps/lab/src/bench/peers/holder.ts";
      return stack.use(await startProgram({ name, entry, env, dir, readyWhen: /holder started/ }));
    },
  };
}

/** Returns what a holder has printed: job id to the time it got the job. */
function heldBy(program: Program): Map<string, number> {
  const lines = program
    .readLog()
    .split("\n")
    .filter((line) => line.startsWith("{"));
  const seen = lines.map((line) => JSON.parse(line) as { job: string; at: number });
  return new Map(seen.map(({ job, at }) => [job, at]));
}

async function prepareBullmq(holders: Holders): Promise<{ victims: Victim[]; survivor: Program }> {
  const victims: Victim[] = [];
  for (const i of oneByOne(parameters.kills)) {
    victims.push({ program: await holders.start(`victim-${i}`, { HOLDER_SLOTS: "1" }), killedAtMs: 0 });
  }
  await holders.start("producer", { HOLDER_JOBS: String(parameters.kills) });
  const isHeld = (): boolean => victims.every(({ program }) => heldBy(program).size === 1);
  await waitUntil(isHeld, { what: "every holder to hold a job", timeoutMs: 60_000 });
  return { victims, survivor: await holders.start("survivor", { HOLDER_SLOTS: "50" }) };
}

async function reclaimsOfBullmq(victims: readonly Victim[], survivor: Program): Promise<number[]> {
  const reclaims = (): number[] | undefined => {
    const again = heldBy(survivor);
    const times = victims.flatMap(({ program, killedAtMs }) => {
      const at = again.get([...heldBy(program).keys()][0] ?? "");
      return at === undefined ? [] : [at - killedAtMs];
    });
    return times.length === victims.length ? times : undefined;
  };
  return waitUntil(reclaims, { what: "every job to be taken again", timeoutMs: reclaimedWithinMs });
}

await using stack = new AsyncDisposableStack();
const env = { DARI_LEASE_MS: String(parameters.lease_ms) };
const platform = stack.use(await startPlatform({ workers: 0, env: values.smoke ? env : {} }));
const ours = await prepareDari(platform);
const theirs = await prepareBullmq(await openHolders(stack));
await Promise.all([killAll(ours), killAll(theirs.victims)]);
const [dariMs, bullmqMs] = await Promise.all([
  reclaimsOfDari(platform, ours),
  reclaimsOfBullmq(theirs.victims, theirs.survivor),
]);
const [dari, bullmq] = [spreadOf(dariMs), spreadOf(bullmqMs)];
report({
  name: "reclaim",
  parameters,
  result: { dari_ms: dari, bullmq_ms: bullmq },
  gates: [
    gate("p50 until claimed again / BullMQ", dari.p50 / bullmq.p50, 0.5),
    gate("p95 until claimed again, ms", dari.p95, 20_000),
  ],
  smoke: values.smoke,
});
