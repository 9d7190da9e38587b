// What a flood of one organization costs another's single messages: how long these wait for a worker, idle and in it.
// Expected: a ratio near one, because some slots are kept for organizations that hold none. The rest is the machine: on
// few cores every process is slower beside running turns, also the one that claims.
//
//   node apps/lab/src/bench/fairness.ts [--delivery queue|pull] [--flood 10000] [--rounds 50] [--smoke]

import { parseArgs } from "node:util";
import type { Client } from "@dari/client";
import { createTestOrganization } from "@dari/testkit";
import { startCluster } from "../chaos/cluster.ts";
import { openClient } from "../chaos/workload.ts";
import { deployFiles } from "../deploy-files.ts";
import { describeMachine } from "../machine.ts";
import { spreadOf } from "./statistics.ts";

const { values } = parseArgs({
  options: {
    delivery: { type: "string", default: "queue" },
    flood: { type: "string", default: "10000" },
    rounds: { type: "string", default: "50" },
    smoke: { type: "boolean", default: false },
  },
});
const parameters = {
  delivery: values.delivery === "pull" ? ("pull" as const) : ("queue" as const),
  flood: values.smoke ? 200 : Number(values.flood),
  rounds: values.smoke ? 8 : Number(values.rounds),
  workers: 2,
  slots: 5,
  leaseMs: 15_000,
  turnMs: 500,
};
const sendersAtOnce = 8;
const part = { type: "text", text: "go" } as const;

/** Holds its slot and uses no processor, so that slots are what is short. */
const sleeper = {
  "dari.yml": "name: sleeper\nsdk: opencode\nentrypoint: agent.js:agent\nruntime: {language: typescript}\n",
  "package.json": '{"type":"module"}',
  "agent.js": `export const agent = () => new Promise((done) => setTimeout(done, ${parameters.turnMs}, "ok"));\n`,
};

/** Opens sessions until told to stop, each with one message: sessions of one organization run beside each other. */
async function flood(client: Client, agentId: string): Promise<void> {
  let left = parameters.flood;
  const sender = async (): Promise<void> => {
    while (left-- > 0) {
      const session = await client.createSession(agentId);
      await client.sendMessageAsync(session.id, { parts: [part] });
    }
  };
  await Promise.all(Array.from({ length: sendersAtOnce }, sender));
}

/** One message at a time; from acceptance to claim, by the database's clock. */
async function waits(client: Client, sessionId: string, rounds: number): Promise<number[]> {
  const samples: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const record = await client.sendMessage(sessionId, { parts: [part] });
    if (record.status !== "completed" || record.started_at === null) throw new Error(JSON.stringify(record));
    samples.push(Date.parse(record.started_at) - Date.parse(record.created_at));
  }
  return samples;
}

await using cluster = await startCluster(parameters);
const flooder = openClient(cluster);
const flooding = await deployFiles(cluster, sleeper);
const other = { apiUrl: cluster.apiUrl, apiKey: (await createTestOrganization(cluster.db)).apiKey };
const victim = openClient(other);
const session = await victim.createSession((await deployFiles(other, sleeper)).agentId);

await waits(victim, session.id, 2);
const idle = spreadOf(await waits(victim, session.id, parameters.rounds));
await flood(flooder, flooding.agentId);
const beside = spreadOf(await waits(victim, session.id, parameters.rounds));
const queued = (await flooder.listSessions({ limit: 500 })).data.filter((one) => one.status === "active").length;

process.stdout.write(
  `${JSON.stringify({
    name: "fairness",
    machine: describeMachine(),
    parameters,
    result: {
      wait_idle_ms: idle,
      wait_in_flood_ms: beside,
      ratio_p50: Math.round((beside.p50 / idle.p50) * 100) / 100,
      ratio_max: Math.round((beside.max / idle.max) * 100) / 100,
      // None left: the flood was over before the last round, and the figures say nothing.
      flood_left_of_newest_500: queued,
    },
  })}\n`,
);
process.exitCode = queued === 0 ? 1 : 0;
