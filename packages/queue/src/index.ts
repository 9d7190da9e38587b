// The only package that uses BullMQ and Redis.

export { createRedisNotifier } from "./notifier.ts";
export { createRedisPreviews } from "./previews.ts";
export { connectSender, type Sender } from "./sender.ts";
export { describeTrace, turnJobId, type QueueLocation } from "./turn-job.ts";
export { openTurnQueue, type TurnBoard, type TurnQueue } from "./turn-queue.ts";
export type { TurnSettlement } from "./turn-settlement.ts";
export { openTurnSource, type TurnSource, type TurnTicket } from "./turn-source.ts";
