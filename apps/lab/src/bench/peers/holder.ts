// A BullMQ worker that holds every job it gets and prints so, for measurements of lost workers.

import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { programEnvironment } from "../../config.ts";

const env = programEnvironment();
const queueName = "held";
const connect = (): Redis => new Redis(env["REDIS_URL"] ?? "", { maxRetriesPerRequest: null });
const hold = new Promise<void>(() => undefined);

if (env["HOLDER_JOBS"] !== undefined) {
  const queue = new Queue(queueName, { connection: connect() });
  for (let i = 0; i < Number(env["HOLDER_JOBS"]); i++) await queue.add("turn", {}, { jobId: `held-${i}` });
} else {
  // Set for short runs only (default: BullMQ's defaults).
  const stallMs = env["HOLDER_STALL_MS"];
  const settings = stallMs === undefined ? {} : { lockDuration: Number(stallMs), stalledInterval: Number(stallMs) };
  const run = (job: { id?: string | undefined }): Promise<void> => {
    process.stdout.write(`${JSON.stringify({ job: job.id, at: Date.now() })}\n`);
    return hold;
  };
  const concurrency = Number(env["HOLDER_SLOTS"]);
  const worker = new Worker(queueName, run, { connection: connect(), concurrency, ...settings });
  await worker.waitUntilReady();
}
process.stdout.write("holder started\n");
