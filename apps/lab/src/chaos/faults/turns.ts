// Turns that do harm, too many turns, cancels at every moment, and jobs that were not dispatched.

import { setTimeout as sleep } from "node:timers/promises";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { waitUntil } from "@dari/testkit";
import { cancelUntilAnswered, pick } from "../load/generator.ts";
import type { Sent } from "../load/journal.ts";
import { queuePrefix, type Stage } from "../stage/stage.ts";
import type { Fault, Heal, Scene } from "./fault.ts";
import { withoutQueue } from "./redis.ts";
import { settlesWithoutError } from "./observations.ts";
import { killWorker } from "./workers.ts";

const floodTurns = { alone: 400, mixed: 60 };

export const turnFaults: readonly Fault[] = [
  {
    number: 20,
    name: "poison-turns",
    says: "turns that take all memory, leave processes behind, and lose their worker each time",
    holds: ["worker"],
    rounds: 1,
    lastsMs: () => 0,
    bounds: {},
    async inject(scene) {
      const tenant = pick(scene.tenants, scene.random);
      for (const what of ["hoard", "breed"] as const) void scene.sending.send(tenant, { task: { do: what } });
      const killed = await killEachTime(
        scene,
        await scene.sending.send(tenant, { task: { do: "work" }, ms: 8_000, delivery: "async" }),
      );
      if (killed > 0) scene.seen();
      return () => undefined;
    },
  },
  {
    number: 21,
    name: "flood",
    says: "one organization sends more than everybody together, over many sessions, and then cancels it",
    holds: ["load"],
    rounds: 1,
    lastsMs: () => 5_000,
    // Every slot is taken, none is reserved, and the longest turns continue. bench/fairness measures how fair that is.
    bounds: { startMs: 4_000 },
    inject: (scene) => flood(scene, scene.isAlone ? floodTurns.alone : floodTurns.mixed),
  },
  {
    number: 22,
    name: "jobs-forged",
    says: "jobs are duplicated, out of order, of unknown sessions, of other dispatches, and without sense",
    holds: ["redis"],
    rounds: 5,
    lastsMs: () => 1_000,
    bounds: { gapMs: 3_000, lostAttempts: 0 },
    unavailable: withoutQueue,
    async inject({ stage, random, seen }) {
      if ((await forgeJobs(stage, random)) > 0) seen();
      return () => undefined;
    },
  },
  {
    number: 23,
    name: "cancels",
    says: "cancels, by two clients at the same time, at every moment of a turn",
    holds: ["load"],
    rounds: 4,
    lastsMs: () => 4_000,
    bounds: { lostAttempts: 0 },
    inject: (scene) => Promise.resolve(cancelMany(scene)),
  },
];

interface Running {
  readonly pid: number;
}

interface Outcome {
  readonly state: string;
  readonly code: string;
}

/**
 * Each attempt of the message loses its worker. After the last one it must fail and say why. Returns how many workers
 * were killed, or 0 if an attempt ended before its worker could be, or was not seen to begin.
 */
async function killEachTime(scene: Scene, sent: Sent): Promise<number> {
  const [id] = sent.messageIds;
  const { stage } = scene;
  for (let killed = 0; ; killed++) {
    const look = async (): Promise<Outcome | Running | undefined> =>
      (await stateOf(stage, id)) ?? (await runnerOf(stage, id));
    const what = "the next attempt of a turn that loses its worker";
    const next = await waitUntil(look, { what, timeoutMs: 60_000 }).catch((error: unknown) => {
      if (scene.isAlone) throw error;
    });
    // Other faults may keep the attempt from beginning. The judge requires that the message ends.
    if (next === undefined) return 0;
    if ("state" in next) {
      if (next.state === "completed") return 0;
      // Other faults cancel open messages. The judge decides whether this one may be cancelled.
      if (next.code !== "worker_lost" && next.state !== "cancelled")
        scene.accuse(`after ${killed} lost workers ${id} is ${next.state}: ${next.code}`);
      return killed;
    }
    const worker = stage.workers.find(({ program }) => program.pid === next.pid);
    if (worker === undefined) throw new Error(`no worker is process ${next.pid}`);
    await killWorker(scene, worker);
    await worker.restart();
  }
}

async function stateOf(stage: Stage, id: string | undefined): Promise<Outcome | undefined> {
  const result = await stage.ask<Outcome>(
    "select state, output -> 'error' ->> 'code' as code from dari.messages where id = $1 and completed_at is not null",
    [id],
  );
  return result[0];
}

/** Returns the living worker that runs the message's agent. */
async function runnerOf(stage: Stage, id: string | undefined): Promise<Running | undefined> {
  const result = await stage.ask<Running>(
    `select (w.details ->> 'pid')::int as pid from dari.attempts a join dari.workers w on w.id = a.worker_id
      where a.message_id = $1 and a.called_at is not null and a.outcome is null`,
    [id],
  );
  const pids = stage.workers.filter(({ program }) => program.isRunning).map(({ program }) => program.pid);
  return result.find(({ pid }) => pids.includes(pid));
}

async function flood(scene: Scene, turns: number): Promise<Heal> {
  // Another fault may have just taken the API or the database away.
  const open = (): ReturnType<Scene["openTenant"]> => scene.openTenant(Math.ceil(turns / 10));
  const opened = waitUntil(open, { what: "a tenant that floods", timeoutMs: 30_000 });
  const tenant = await opened.catch(() => undefined);
  // The report counts this strike as not seen.
  if (tenant === undefined) return async () => {};
  const sent: Sent[] = [];
  let left = turns;
  const sender = async (): Promise<void> => {
    while (left-- > 0 && !scene.signal.aborted)
      sent.push(await scene.sending.send(tenant, { task: { do: "work" }, delivery: "async" }));
  };
  await Promise.all(Array.from({ length: 12 }, sender));
  scene.seen();
  return async () => {
    // What is left of it is cancelled, so that the run ends.
    const canceller = async (): Promise<void> => {
      for (let one = sent.pop(); one !== undefined; one = sent.pop()) {
        await cancelUntilAnswered(scene.journal, one, scene.random);
      }
    };
    await Promise.all(Array.from({ length: 12 }, canceller));
  };
}

/** Returns how many forged jobs the workers took. */
async function forgeJobs(stage: Stage, random: () => number): Promise<number> {
  const connection = new Redis(stage.redis.url, { maxRetriesPerRequest: null });
  const queue = new Queue("turns-default", { connection, prefix: queuePrefix });
  try {
    const result = await stage.ask<Record<string, string>>(
      `select s.id as "sessionId", s.organization_id as "organizationId", s.last_message_id as "messageId",
        s.dispatch_number as "dispatchNumber" from dari.sessions s where s.last_message_id is not null limit 20`,
    );
    const real = result;
    const forged = [
      ...real,
      ...real.map((data) => ({ ...data, dispatchNumber: Number(data["dispatchNumber"]) + 1 })),
      ...real.map((data) => ({ ...data, dispatchNumber: Number(data["dispatchNumber"]) - 1 })),
      { sessionId: "sess_unknown", organizationId: "org_unknown", messageId: "msg_unknown", dispatchNumber: 1 },
      { sessionId: 7, dispatchNumber: "many" },
      {},
    ];
    const shuffled = forged.map((data) => ({ data, at: random() })).sort((a, b) => a.at - b.at);
    const jobs = shuffled.map(({ data }) => ({ name: "turn", data, opts: { lifo: random() < 0.5 } }));
    const ids = (await queue.addBulk(jobs)).flatMap(({ id }) => id ?? []);
    const isWaiting = async (id: string): Promise<boolean> => (await queue.getJobState(id)) === "waiting";
    const countTaken = async (): Promise<number> => {
      const waiting = await Promise.all(ids.map(isWaiting));
      return waiting.filter((one) => !one).length;
    };
    await settlesWithoutError(
      waitUntil(async () => (await countTaken()) === ids.length, { what: "forged jobs to be taken" }),
    );
    return await countTaken();
  } finally {
    await queue.close();
    connection.disconnect();
  }
}

function cancelMany({ journal, random, seen }: Scene): Heal {
  const stop = new AbortController();
  const cancelling = (async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const recent = journal.sent.slice(-12).filter((one) => one.messageIds.size > 0 && one.cancel === undefined);
      if (recent.length > 0) {
        const chosen = pick(recent, random);
        const twice = [cancelUntilAnswered(journal, chosen, random), cancelUntilAnswered(journal, chosen, random)];
        await Promise.all(twice);
        if (chosen.cancel !== undefined) seen();
      }
      await sleep(30 + 120 * random());
    }
  })();
  return async () => {
    stop.abort();
    await cancelling;
  };
}
