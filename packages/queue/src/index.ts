// BullMQ and Redis live here only.

export { createRedisNotifier, type RedisNotifier } from "./notifier.ts";
export { createRedisPreviews, type RedisPreviews } from "./previews.ts";
export type { FailedJobs, FailedTurn } from "./failed-jobs.ts";
export { describeTrace, turnJobId, type QueueLocation, type TurnJobData } from "./turn-job.ts";
export type { ScannedJob } from "./scan-jobs.ts";
export { openTurnQueue, type JobState, type TurnBoard, type TurnQueue } from "./turn-queue.ts";
export type { TurnSettlement } from "./turn-settlement.ts";
export { openTurnSource, type TurnSource, type TurnTicket } from "./turn-source.ts";
