// For operators: health, metrics, traces, and the jobs of the queue.

export { examinePlatform } from "./health/examine-platform.ts";
export { getFleet } from "./health/get-fleet.ts";
export { countTurns, findWaitingTurn, listWaitingTurns } from "./health/waiting-turns.ts";
export { promoteJob, type PromotedJob } from "./jobs/promote-job.ts";
export { rebuildFailedJobs } from "./jobs/rebuild-failed-jobs.ts";
export { createJobRepair, type JobContext } from "./jobs/repair-jobs.ts";
export { retryJob, type JobRetry, type RetriedJob } from "./jobs/retry-job.ts";
export { metricsByPart, platformMetrics } from "./metrics/metric-catalogue.ts";
export { eventMetrics } from "./metrics/event-metrics.ts";
export { createPlatformMetrics, type PlatformMetrics } from "./metrics/platform-metrics.ts";
export { createPlatformTraces, combineObservers } from "./traces/platform-traces.ts";
export { traceIdsFor, traceparentOf } from "./traces/trace-ids.ts";
export { createInvariantRounds, findViolations, readDueWork } from "@dari/db";
