// What every operation gets: the services (`Control`), the caller (`Actor`), one transaction, idempotency keys, pages.

export type { Actor, Person } from "./actor.ts";
export type { Control, TurnBounds } from "./control.ts";
export { deliverTurns, type DeliveryContext } from "./deliver-turns.ts";
export { createFingerprint } from "./idempotency/create-fingerprint.ts";
export { noteUnanswered, takeUnanswered } from "./idempotency/unanswered-calls.ts";
export { withIdempotencyKey, type KeyedCall } from "./idempotency/with-idempotency-key.ts";
export { sweepIdempotencyKeys } from "./idempotency/sweep-idempotency-keys.ts";
export { inOneTransaction } from "./in-one-transaction.ts";
export { renderPage, type PageOf } from "./render-page.ts";
export { createPlaces } from "./take-place.ts";
export type {
  Backlog,
  LoadedTree,
  PositionedPreview,
  RateDecision,
  RateLimiter,
  RateLimitState,
  ReceiverPolicy,
  SealContext,
  Sealer,
  SessionFeed,
  SessionFeeds,
  StreamLimiter,
  SnapshotTrees,
} from "./services.ts";
export { isDatabaseUnreachable, isDatabaseDown, isDatabaseErrorTransient, retryThroughOutage } from "@dari/db";
