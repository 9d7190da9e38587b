// The only package that uses BullMQ and Redis.

export { createRedisNotifier } from "./redis-notifier.ts";
export { createRedisPreviews } from "./redis-previews.ts";
export { connectSender, type Sender } from "./redis-sender.ts";
export { describeTrace, turnJobId, type QueueLocation } from "./turn-job.ts";
export { openTurnQueue, type TurnBoard, type TurnQueue } from "./turn-queue.ts";
export type { TurnSettlement } from "./turn-settlement.ts";
export { openTurnSource, type TurnSource, type TurnTicket } from "./turn-source.ts";
