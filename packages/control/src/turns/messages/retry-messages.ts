// Sends all failed messages again that match a filter, the oldest failure first, each at the end of its session.

import type { MessageRecord, MessagesRetried, RetryMessagesRequest, SkipReason } from "@dari/contract";
import { inOneTransaction, type Actor, type Control } from "@dari/control/context";
import { recordChange, requireOperator } from "@dari/control/tenants";
import { auditEntries, failedMessages, messages, type FailedFilter, type FailedMessageRow } from "@dari/db";
import { agentIdFromWire, AppError, invalidField, limits, notFound, type AppErrorCode, type Lane } from "@dari/domain";
import { renderMessage } from "../views/message.ts";
import { sendAgain } from "./send-again.ts";

/**
 * The result of a bulk retry. `entryId`: the audit entry of the call, with which `getBulkRetryReply` finds the reply
 * again; undefined for a dry run.
 */
export interface BulkRetry {
  readonly entryId: string | undefined;
  readonly reply: MessagesRetried;
}

/**
 * Sends all matching messages of one page again, or none: the call is one transaction. Without `force`, skips messages
 * that were retried before. Two concurrent calls do not retry a message twice, because both lock the sessions first.
 * The dispatcher starts the new messages by fair shares.
 * @throws AppError `forbidden` for other organizations than the actor's, unless it is an operator's; `invalid`.
 */
export async function retryMessages(control: Control, actor: Actor, request: RetryMessagesRequest): Promise<BulkRetry> {
  const filter = await filterOf(control, actor, request);
  return inOneTransaction(control, async (inside) => {
    const { rows, next } = await listPage(inside, filter, request);
    const force = request.force === true;
    if (request.dry_run === true) {
      const { retried, skipped } = sort(rows, force);
      const wouldBe = retried.map(({ id }) => ({ message_id: id, retry_message_id: null }));
      return { entryId: undefined, reply: render(rows, wouldBe, skipped, next, true) };
    }
    const { retried, skipped } = sort(await lockSessions(inside, rows), force);
    const lane = request.lane ?? "background";
    const done = await sendAll({ ...inside, admission: neverDispatch }, actor, retried, lane);
    const reply = render(rows, done.retried, [...skipped, ...done.skipped], next, false);
    return { entryId: await record(inside, actor, request, done.sentOf, reply), reply };
  });
}

/** Returns the reply of the call with the audit entry `entryId`. @throws AppError `not_found` */
export async function getBulkRetryReply(control: Control, actor: Actor, entryId: string): Promise<MessagesRetried> {
  const reply = await auditEntries.findAuditedReply(control.db, actor.organizationId, entryId);
  if (reply === undefined) throw notFound("record");
  return reply as MessagesRetried;
}

/** Leaves the new messages to the dispatcher: if hundreds started together, they would take all free slots. */
const neverDispatch = { mayDispatch: () => false };

async function filterOf(control: Control, actor: Actor, { filter }: RetryMessagesRequest): Promise<FailedFilter> {
  const wanted = filter.organization_id ?? actor.organizationId;
  if (wanted !== actor.organizationId) await requireOperator(control, actor);
  return {
    organizationId: wanted === "all" ? undefined : wanted,
    agentId: filter.agent_id === undefined ? undefined : agentIdFromWire(filter.agent_id),
    sessionId: filter.session_id,
    batchId: filter.session_batch_id,
    errorCode: filter.error_code,
    failedAfter: timeOf("failed_after", filter.failed_after),
    failedBefore: timeOf("failed_before", filter.failed_before),
  };
}

function timeOf(name: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined;
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw invalidField(`filter.${name}`, "expected an RFC 3339 time");
  return time;
}

async function listPage(
  control: Control,
  filter: FailedFilter,
  { limit = limits.bulkRetryDefault, after }: RetryMessagesRequest,
): Promise<{ rows: FailedMessageRow[]; next: string | null }> {
  const found = await failedMessages.listFailedMessages(control.db, filter, { limit: limit + 1, after });
  if (found === undefined) throw invalidField("after", "expected `next` of a previous reply to this request");
  const rows = found.slice(0, limit);
  return { rows, next: found.length > limit ? (rows.at(-1)?.id ?? null) : null };
}

/** Locks the sessions, so that no other call retries their messages, and returns the current rows. */
async function lockSessions(control: Control, rows: readonly FailedMessageRow[]): Promise<FailedMessageRow[]> {
  const sessionIds = [...new Set(rows.map((row) => row.sessionId))];
  const messageIds = rows.map((row) => row.id);
  const retried = await failedMessages.lockSessionsAndListRetried(control.db, sessionIds, messageIds);
  return rows.map((row) => ({ ...row, isRetried: retried.has(row.id) }));
}

interface Skipped {
  readonly message_id: string;
  readonly reason: SkipReason;
}

function sort(rows: readonly FailedMessageRow[], force: boolean): { retried: FailedMessageRow[]; skipped: Skipped[] } {
  const retried: FailedMessageRow[] = [];
  const skipped: Skipped[] = [];
  for (const row of rows) {
    const reason = reasonToSkip(row, force);
    if (reason === undefined) retried.push(row);
    else skipped.push({ message_id: row.id, reason });
  }
  return { retried, skipped };
}

function reasonToSkip(row: FailedMessageRow, force: boolean): SkipReason | undefined {
  if (row.isRetried && !force) return "already_retried";
  if (!row.isSessionOpen) return "session_ended";
  return row.isVersionFailed ? "version_failed" : undefined;
}

interface Sent {
  readonly retried: { readonly message_id: string; readonly retry_message_id: string }[];
  readonly skipped: Skipped[];
  /** The number of sent messages by organization. */
  readonly sentOf: Map<string, number>;
}

/** Number of messages that are read together. It is small, because a message with its output can have megabytes. */
const readTogether = 8;

async function sendAll(control: Control, actor: Actor, rows: readonly FailedMessageRow[], lane: Lane): Promise<Sent> {
  const sent: Sent = { retried: [], skipped: [], sentOf: new Map() };
  const full = new Set<string>();
  for (let at = 0; at < rows.length; at += readTogether) {
    const together = rows.slice(at, at + readTogether);
    const contents = await readContents(control, together);
    for (const { id, organizationId } of together) {
      const outcome = full.has(organizationId)
        ? { reason: "backlog_full" as const }
        : await sendOne(control, { ...actor, organizationId }, contents.get(id), lane);
      if ("reason" in outcome) {
        if (outcome.reason === "backlog_full") full.add(organizationId);
        sent.skipped.push({ message_id: id, reason: outcome.reason });
      } else {
        sent.retried.push({ message_id: id, retry_message_id: outcome.messageId });
        sent.sentOf.set(organizationId, (sent.sentOf.get(organizationId) ?? 0) + 1);
      }
    }
  }
  return sent;
}

/** Reads the contents of messages, with one query for each organization. */
async function readContents(
  control: Control,
  rows: readonly FailedMessageRow[],
): Promise<ReadonlyMap<string, MessageRecord>> {
  const byOrganization = Map.groupBy(rows, (row) => row.organizationId);
  const contents = new Map<string, MessageRecord>();
  for (const [organizationId, own] of byOrganization) {
    const ids = own.map((row) => row.id);
    const found = await messages.listMessagesByIds(control.db, organizationId, ids);
    for (const row of found) contents.set(row.id, renderMessage(row));
  }
  return contents;
}

/** Sends one message. If it is refused, returns the reason. Any other error ends the call. */
async function sendOne(
  control: Control,
  actor: Actor,
  content: MessageRecord | undefined,
  lane: Lane,
): Promise<{ readonly messageId: string } | { readonly reason: SkipReason }> {
  if (content === undefined) return { reason: "not_possible" };
  try {
    return await sendAgain(control, actor, content, { lane });
  } catch (error) {
    return { reason: reasonOf(error) };
  }
}

const skipReasons: Partial<Record<AppErrorCode, SkipReason>> = {
  limit_exceeded: "backlog_full",
  invalid: "file_deleted",
  conflict: "not_possible",
  not_found: "not_possible",
};

function reasonOf(error: unknown): SkipReason {
  const reason = error instanceof AppError ? skipReasons[error.code] : undefined;
  if (reason === undefined) throw error;
  return reason;
}

function render(
  rows: readonly FailedMessageRow[],
  retried: MessagesRetried["retried"],
  skipped: MessagesRetried["skipped"],
  next: string | null,
  dryRun: boolean,
): MessagesRetried {
  return { matched: rows.length, retried, skipped, has_more: next !== null, next, dry_run: dryRun };
}

/**
 * Writes one audit entry for the call in the caller's organization, and one in each other organization whose messages
 * were sent.
 */
async function record(
  control: Control,
  actor: Actor,
  request: RetryMessagesRequest,
  sentOf: ReadonlyMap<string, number>,
  reply: MessagesRetried,
): Promise<string> {
  const { filter, force = false } = request;
  const action = "message.retry_many";
  for (const [organizationId, retried] of sentOf) {
    if (organizationId === actor.organizationId) continue;
    await recordChange(control, actor, {
      action,
      organizationId,
      target: organizationId,
      details: { filter, force, retried },
    });
  }
  const details = { filter, force, retried: reply.retried.length, skipped: reply.skipped.length };
  const target = filter.organization_id ?? actor.organizationId;
  return recordChange(control, actor, { action, target, details, reply });
}
