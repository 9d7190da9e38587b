// The steps of a turn, in order: accept, claim, write under the claim, finish.

export { acceptMessage, type AcceptedMessage, type AttachedFile } from "./accept-message.ts";
export { cancelMessageOf, type CancelResult } from "./cancel-message.ts";
export {
  claimIfDispatched,
  claimDueRetry,
  claimNextIfAny,
  findHeldClaim,
  type Claim,
  type ClaimedTurn,
  type ClaimResult,
  type Claimant,
} from "./claim-turn.ts";
export {
  finishIfHeld,
  snapshotJson,
  type TurnEnding,
  type TurnSnapshot,
  type InputAsked,
  type FinishInput,
  type FinishResult,
} from "./finish-turn.ts";
export {
  markCalledIfHeld,
  renewHeldLeases,
  appendEventsIfHeld,
  appendLogsIfHeld,
  type RenewedLease,
  type AttemptEvent,
  type LogLine,
} from "./write-held-turn.ts";
