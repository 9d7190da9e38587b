// BullMQ, a job per message: default settings, completed jobs removed, waiting callers notified through Redis.

import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type pg from "pg";
import { acceptTurn, runTurn, type NewTurn, type TurnJob } from "./rows.ts";

const queueName = "turns";
const channel = "done";

/** Returns what writes a turn's rows and queues it. `onDone` is called with the id of each turn that has ended. */
export async function openProducer(
  pool: pg.Pool,
  redisUrl: string,
  onDone: (id: string) => void,
): Promise<(turn: NewTurn) => Promise<void>> {
  const queue = new Queue<TurnJob>(queueName, {
    connection: new Redis(redisUrl, { maxRetriesPerRequest: null }),
    defaultJobOptions: { removeOnComplete: true, removeOnFail: 100 },
  });
  await queue.waitUntilReady();
  const listener = new Redis(redisUrl);
  await listener.subscribe(channel);
  listener.on("message", (_channel, id) => onDone(id));
  return async (turn) => {
    await acceptTurn(pool, turn);
    await queue.add("turn", { id: turn.id, session: turn.session });
  };
}

/** Runs queued turns, at most `slots` at the same time. */
export async function startConsumer(pool: pg.Pool, redisUrl: string, slots: number): Promise<void> {
  const publisher = new Redis(redisUrl);
  const run = async ({ data }: { data: TurnJob }): Promise<void> => {
    await runTurn(pool, data);
    await publisher.publish(channel, data.id);
  };
  const connection = new Redis(redisUrl, { maxRetriesPerRequest: null });
  const worker = new Worker<TurnJob>(queueName, run, { connection, concurrency: slots });
  worker.on("failed", (_job, error) => process.stderr.write(`${error.message}\n`));
  await worker.waitUntilReady();
}
