// What every operation gets: the services (`Control`), the caller (`Actor`), one transaction, idempotency keys, pages.

export type { Actor, Person } from "./actor.ts";
export type { Control } from "./control.ts";
export { deliverTurns, type DeliveryContext } from "./deliver-turns.ts";
export { fingerprintOf } from "./idempotency/fingerprint.ts";
export { idempotently, type KeyedCall } from "./idempotency/idempotently.ts";
export { sweepIdempotencyKeys } from "./idempotency/sweep.ts";
export { inOneTransaction } from "./in-one-transaction.ts";
export { renderPage, type PageOf } from "./page.ts";
export type {
  Backlog,
  LoadedTree,
  PlacedPreview,
  RateDecision,
  RateLimiter,
  RateStanding,
  ReceiverPolicy,
  SealContext,
  Sealer,
  SessionFeed,
  SessionFeeds,
  StreamGate,
  Trees,
} from "./services.ts";
export { isDatabaseAway, isDatabaseDown, isDatabasePassing, retryThroughOutage } from "@dari/db";
