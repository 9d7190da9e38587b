// BullMQ, a job per message: default settings, completed jobs removed, waiting callers notified through Redis.

import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { Peer } from "./peer.ts";
import { accept, carryOut, type TurnJob } from "./rows.ts";

const queueName = "turns";
const channel = "done";

export const bullmq: Peer = {
  async produce(pool, { redisUrl }, onDone) {
    const queue = new Queue<TurnJob>(queueName, {
      connection: new Redis(redisUrl, { maxRetriesPerRequest: null }),
      defaultJobOptions: { removeOnComplete: true, removeOnFail: 100 },
    });
    await queue.waitUntilReady();
    const listener = new Redis(redisUrl);
    await listener.subscribe(channel);
    listener.on("message", (_channel, id) => onDone(id));
    return {
      async send(turn) {
        await accept(pool, turn);
        await queue.add("turn", { id: turn.id, session: turn.session });
      },
    };
  },

  async consume(pool, { redisUrl, slots }) {
    const publisher = new Redis(redisUrl);
    const run = async ({ data }: { data: TurnJob }): Promise<void> => {
      await carryOut(pool, data, false);
      await publisher.publish(channel, data.id);
    };
    const connection = new Redis(redisUrl, { maxRetriesPerRequest: null });
    const worker = new Worker<TurnJob>(queueName, run, { connection, concurrency: slots });
    worker.on("failed", (_job, error) => process.stderr.write(`${error.message}\n`));
    await worker.waitUntilReady();
  },
};
