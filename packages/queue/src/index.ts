// BullMQ and Redis live here only.

export { createRedisNotifier, type RedisNotifier } from "./notifier.ts";
export { turnJobId, type QueueLocation, type TurnJobData } from "./turn-job.ts";
export { openTurnQueue, type JobState, type TurnQueue } from "./turn-queue.ts";
export { openTurnSource, type TurnSettlement, type TurnSource, type TurnTicket } from "./turn-source.ts";
