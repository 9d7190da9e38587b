// Every byte of SQL. Queries are grouped by the table or the story that they serve.

import * as agents from "./queries/agents.ts";
import * as apiKeys from "./queries/api-keys.ts";
import * as attemptLogs from "./queries/attempt-logs.ts";
import * as buildLogs from "./queries/build-logs.ts";
import * as credentials from "./queries/credentials.ts";
import * as events from "./queries/events.ts";
import * as files from "./queries/files.ts";
import * as idempotencyKeys from "./queries/idempotency-keys.ts";
import * as members from "./queries/members.ts";
import * as messages from "./queries/messages.ts";
import * as organizations from "./queries/organizations.ts";
import * as sessions from "./queries/sessions.ts";
import * as sourceSnapshots from "./queries/source-snapshots.ts";
import * as versions from "./queries/versions.ts";
import * as builds from "./queries/builds.ts";
import * as dispatch from "./queries/dispatch.ts";
import * as snapshots from "./queries/snapshots.ts";
import * as takeovers from "./queries/takeovers.ts";
import * as turnDetails from "./queries/turn-details.ts";
import * as turns from "./queries/turns.ts";
import * as workers from "./queries/workers.ts";

export { builds, dispatch, snapshots, takeovers, turnDetails, turns, workers };
export {
  agents,
  apiKeys,
  attemptLogs,
  buildLogs,
  credentials,
  events,
  files,
  idempotencyKeys,
  members,
  messages,
  organizations,
  sessions,
  sourceSnapshots,
  versions,
};
export {
  boundTo,
  openDatabase,
  schemaName,
  withTransaction,
  type Database,
  type DatabaseOptions,
  type Queryable,
} from "./database.ts";
export { migrate } from "./migrate.ts";
export { createPgNotifier } from "./notifier.ts";
export { findViolations, invariants, type Invariant, type Violation } from "./queries/invariants.ts";
export type { BuildClaim, BuildJob } from "./queries/builds.ts";
export type { EndedSeconds, FleetLoad, OrganizationShare, ReapedSession } from "./queries/dispatch.ts";
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
export type { AgentRow } from "./queries/agents.ts";
export type { ApiKeyRow, UsableApiKey } from "./queries/api-keys.ts";
export type { AttemptLogRow } from "./queries/attempt-logs.ts";
export type { CredentialRow } from "./queries/credentials.ts";
export type { EventRow } from "./queries/events.ts";
export type { FileRow } from "./queries/files.ts";
export type { IdempotencyScope } from "./queries/idempotency-keys.ts";
export type { MemberRow } from "./queries/members.ts";
export type { MessageRow } from "./queries/messages.ts";
export type { OrganizationRow } from "./queries/organizations.ts";
export type { Listed, Page } from "./queries/page.ts";
export type { NewSession, SessionEnding, SessionFilter, SessionRow } from "./queries/sessions.ts";
export type { SourceSnapshotRow } from "./queries/source-snapshots.ts";
export type { NewVersion, VersionRow } from "./queries/versions.ts";
export { isDatabaseAway, isDatabaseDown, isDatabasePassing } from "./errors.ts";
