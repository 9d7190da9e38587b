// Batches: many sessions with a first message each, created together.

export {
  requestBatchCancelIfFound,
  cancelOpenItems,
  listBatchesToCancel,
  purgeBatches,
  type CancelledItem,
} from "./cancel-batch.ts";
export { insertBatch, type NewBatchItem, type NewBatch, type InsertedBatch } from "./insert-batch.ts";
export {
  findBatch,
  listBatches,
  listOpenBatches,
  findBatchProgress,
  listBatchItems,
  listBatchResults,
  type BatchRow,
  type BatchKey,
  type BatchProgress,
  type BatchItemRow,
  type BatchResultRow,
} from "./read-batch.ts";
