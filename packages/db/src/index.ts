// Every byte of SQL. Queries are grouped by the table or the story that they serve.

import * as builds from "./queries/builds.ts";
import * as dispatch from "./queries/dispatch.ts";
import * as snapshots from "./queries/snapshots.ts";
import * as turnDetails from "./queries/turn-details.ts";
import * as turns from "./queries/turns.ts";
import * as workers from "./queries/workers.ts";

export { builds, dispatch, snapshots, turnDetails, turns, workers };
export { openDatabase, schemaName, withTransaction, type Database, type DatabaseOptions, type Queryable } from "./database.ts";
export { migrate } from "./migrate.ts";
export { createPgNotifier } from "./notifier.ts";
export { findViolations, invariants, type Invariant, type Violation } from "./queries/invariants.ts";
export type { BuildClaim, BuildJob } from "./queries/builds.ts";
export type { FleetLoad, ReapedSession } from "./queries/dispatch.ts";
export type { SnapshotRow } from "./queries/snapshots.ts";
export type { HistoryRow, InputFile, SealedSecret, TurnDetails } from "./queries/turn-details.ts";
export type {
  AcceptedMessage,
  CancelResult,
  Claim,
  Claimant,
  ClaimedTurn,
  ClaimResult,
  FinishInput,
  FinishResult,
  LogLine,
  MessageInput,
  RenewedLease,
  TurnEnding,
  TurnSnapshot,
} from "./queries/turns.ts";
