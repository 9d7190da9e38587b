// Messages that clients do not send one by one: schedules, batches, and events of other services.

export { cancelBatch, finishBatchCancels, sweepBatches } from "./batches/cancel-batch.ts";
export { createBatch } from "./batches/create-batch.ts";
export { getBatch, listBatches, listBatchSessions } from "./batches/get-batch.ts";
export { getBatchInItemOrder, hasItems } from "./batches/items-batch.ts";
export { readBatchResults } from "./batches/read-batch-results.ts";
export { createSchedule, deleteSchedule, updateSchedule } from "./schedules/change-schedule.ts";
export { fireSchedules, type FiringCounts } from "./schedules/fire-schedules.ts";
export { getSchedule, listScheduleFirings, listSchedules } from "./schedules/get-schedule.ts";
export { sweepFirings } from "./schedules/sweep-firings.ts";
export { createTrigger, deleteTrigger, rotateTriggerSecret, updateTrigger } from "./triggers/change-trigger.ts";
export { getTrigger, listTriggers } from "./triggers/get-trigger.ts";
export { planEvent } from "./triggers/plan-event.ts";
export { actorOfTrigger, findTriggerByToken, sendEventMessage, verifySender } from "./triggers/receive-event.ts";
