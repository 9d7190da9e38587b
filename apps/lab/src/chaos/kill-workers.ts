// Kills a worker every two seconds while messages run, and judges what became of every acknowledged one.
//
//   node apps/lab/src/chaos/kill-workers.ts [--delivery queue|pull] [--sessions 200] [--messages 5] [--smoke]

import { parseArgs } from "node:util";
import { findViolations, takeovers } from "@dari/db";
import { setTimeout as sleep } from "node:timers/promises";
import { deployFiles } from "../deploy-files.ts";
import { describeMachine } from "../machine.ts";
import { spreadOf } from "../bench/statistics.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { ledgerAgent } from "./ledger-agent.ts";
import { seededRandom } from "./seeded-random.ts";
import { judge, openClient, sendAll, type Verdict } from "./workload.ts";

const { values } = parseArgs({
  options: {
    delivery: { type: "string", default: "queue" },
    sessions: { type: "string", default: "200" },
    messages: { type: "string", default: "5" },
    workers: { type: "string", default: "3" },
    "kill-every-ms": { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
    smoke: { type: "boolean", default: false },
  },
});
const parameters = {
  delivery: values.delivery === "pull" ? ("pull" as const) : ("queue" as const),
  sessions: values.smoke ? 10 : Number(values.sessions),
  messages: values.smoke ? 3 : Number(values.messages),
  workers: Number(values.workers),
  killEveryMs: Number(values["kill-every-ms"]),
  seed: Number(values.seed),
  leaseMs: 3_000,
  slots: 4,
};
/** The run is given up after this; what is open then counts as stuck. */
const patienceMs = values.smoke ? 90_000 : 900_000;

await using cluster = await startCluster(parameters);
const client = openClient(cluster);
const { agentId } = await deployFiles(cluster, ledgerAgent);
const startedAt = performance.now();
const stop = new AbortController();
const killing = killWorkers(cluster, stop.signal);
const acknowledged = await sendAll(client, agentId, { ...parameters, atOnce: 8 });
const sentMs = performance.now() - startedAt;

let verdict: Verdict;
do {
  // Reading everything back costs the API time; a long run is asked seldom.
  await sleep(values.smoke ? 1_000 : 5_000);
  verdict = await judge(client, acknowledged);
  process.stderr.write(`${verdict.completed} completed, ${verdict.open} open, ${verdict.faults.length} faults\n`);
} while (verdict.open > 0 && performance.now() - startedAt < patienceMs);
stop.abort();
const kills = await killing;
const violations = await findViolations(cluster.db);
const failed = verdict.open > 0 || verdict.faults.length > 0 || violations.length > 0;

process.stdout.write(
  `${JSON.stringify({
    name: "kill-workers",
    machine: describeMachine(),
    parameters,
    result: {
      acknowledged: parameters.sessions * parameters.messages,
      completed: verdict.completed,
      stuck: verdict.open,
      faults: verdict.faults.slice(0, 20),
      violations,
      kills: kills.size,
      seconds: Math.round((performance.now() - startedAt) / 100) / 10,
      seconds_to_send: Math.round(sentMs / 100) / 10,
      kill_to_takeover_ms: spreadOf(await takeoverMs(cluster, kills)),
    },
    verdict: failed ? "FAILED" : "passed",
  })}\n`,
);
process.exitCode = failed ? 1 : 0;

/** Kills a running worker per beat until told to stop. Returns when each was killed, by its id. */
async function killWorkers(target: Cluster, signal: AbortSignal): Promise<Map<string, number>> {
  const random = seededRandom(parameters.seed);
  const kills = new Map<string, number>();
  const replacements: Promise<void>[] = [];
  while (!signal.aborted) {
    await sleep(parameters.killEveryMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    const running = target.workers.flatMap((worker, index) => (worker.isRunning ? [index] : []));
    const index = running[Math.floor(random() * running.length)];
    if (index === undefined) continue;
    const workerId = await takeovers.findWorkerByPid(target.db, target.workers[index]?.pid ?? 0);
    kills.set(workerId ?? `unnamed ${kills.size}`, Date.now());
    replacements.push(target.replaceWorker(index));
  }
  await Promise.all(replacements);
  return kills;
}

async function takeoverMs(target: Cluster, kills: ReadonlyMap<string, number>): Promise<number[]> {
  const rows = await takeovers.listTakeovers(target.db);
  return rows.flatMap((row) => {
    const killedAt = kills.get(row.workerId);
    return killedAt === undefined ? [] : [row.claimedAt.getTime() - killedAt];
  });
}
