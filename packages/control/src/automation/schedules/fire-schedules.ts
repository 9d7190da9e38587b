// Fires due schedules: each due time has exactly one firing.
//
// A firing is one transaction under the schedule's row lock: the session, the message, the record and the next due time
// are committed together. A reconciler that dies leaves the schedule due, and the next one fires it. Of two reconcilers
// at the same schedule, the second waits for the lock and finds it no longer due.

import type { FiringReason } from "@dari/contract";
import { inOneTransaction, type Control } from "@dari/control/context";
import { toQuotaError } from "@dari/control/tenants";
import { requestedLane, sendMessage, type MessagePartToSend } from "@dari/control/turns";
import { auditEntries, scheduleFirings, sessions, turns, withSavepoint, type DueSchedule } from "@dari/db";
import { AppError, limits, newId, type AppErrorCode, type FiringOutcome, type SchedulePauseReason } from "@dari/domain";
import { findDueFirings, type DueFirings } from "./cron.ts";

export type FiringContext = Pick<Control, "db" | "notifier" | "delivery" | "log" | "backlog" | "rates">;

/** Firings per pass. The schedules that are due longest come first. */
const perPass = 50;
const looks = 1_000;
/** A run begins no pass after this time, so that the watchdog of its loop hears from it, in milliseconds. */
const runMs = 3_000;

export type FiringCounts = Record<FiringOutcome, number>;

/**
 * Fires due schedules one after the other. A firing that throws leaves its schedule due for the next run; the others
 * continue. Safe to run concurrently.
 */
export async function fireSchedules(context: FiringContext): Promise<FiringCounts> {
  const counts: FiringCounts = { fired: 0, skipped: 0, missed: 0, failed: 0 };
  const seen: string[] = [];
  const startedAt = performance.now();
  while (performance.now() - startedAt < runMs) {
    const due = await scheduleFirings.listDueSchedules(context.db, { limit: perPass, looks, except: seen });
    for (const id of due) {
      try {
        for (const outcome of await fireIfDue(context, id)) counts[outcome] += 1;
      } catch (err) {
        context.log.error({ err, schedule: id }, "schedule.not_fired");
      }
    }
    seen.push(...due);
    if (due.length < perPass) break;
  }
  if (Object.values(counts).some((count) => count > 0)) context.log.info({ ...counts }, "schedules.fired");
  return counts;
}

/** Returns the recorded outcomes; none if the schedule is no longer due, or another process is firing it. */
async function fireIfDue(context: FiringContext, scheduleId: string): Promise<FiringOutcome[]> {
  return inOneTransaction(context, async (inside) => {
    const schedule = await scheduleFirings.lockScheduleIfDue(inside.db, scheduleId);
    if (schedule === undefined) return [];
    const times = timesOf(schedule);
    if (times === undefined) return [await settle(inside, schedule, schedule, unknownTimes)];
    const { fireAt, missed, nextDueAt } = times;
    const outcomes: FiringOutcome[] = [];
    if (missed > 0) {
      await recordMissed(inside, schedule, missed);
      outcomes.push("missed");
    }
    const firing = fireAt === undefined ? undefined : await fire(inside, schedule, fireAt);
    if (fireAt === undefined || firing === undefined) await advance(inside, schedule, nextDueAt, undefined);
    else outcomes.push(await settle(inside, schedule, { dueAt: fireAt, nextDueAt }, firing));
    return outcomes;
  });
}

/** Returns undefined for times that this process cannot read, such as those of an abolished time zone. */
function timesOf(schedule: DueSchedule): DueFirings | undefined {
  try {
    return findDueFirings(schedule, schedule.nextDueAt, schedule.now);
  } catch {
    return undefined;
  }
}

async function settle(
  inside: FiringContext,
  schedule: DueSchedule,
  { dueAt = schedule.nextDueAt, nextDueAt }: { readonly dueAt?: Date; readonly nextDueAt: Date },
  firing: Firing,
): Promise<FiringOutcome> {
  const { pause: _pause, ...recorded } = firing;
  const id = newId("scheduleFiring");
  await scheduleFirings.insertFiringIfNew(inside.db, schedule, { id, dueAt, ...recorded });
  await advance(inside, schedule, nextDueAt, firing);
  return firing.outcome;
}

async function recordMissed(inside: FiringContext, schedule: DueSchedule, missedCount: number): Promise<void> {
  const many =
    missedCount >= limits.scheduleMissedMax ? `at least ${missedCount} due times` : `${missedCount} due times`;
  const message = `${missedCount === 1 ? "the due time" : many} passed while the platform was down or behind; `;
  await scheduleFirings.insertFiringIfNew(inside.db, schedule, {
    id: newId("scheduleFiring"),
    dueAt: schedule.nextDueAt,
    outcome: "missed",
    missedCount,
    reason: { code: "late" satisfies FiringReason, message: `${message}missed messages are not sent later` },
  });
}

type Firing =
  | { readonly outcome: "fired"; readonly sessionId: string; readonly messageId: string; readonly pause?: undefined }
  | {
      readonly outcome: "skipped" | "failed";
      readonly reason: { readonly code: FiringReason; readonly message: string };
      readonly pause?: SchedulePauseReason;
    };

function skipped(code: FiringReason, message: string): Firing {
  return { outcome: "skipped", reason: { code, message } };
}

function failed(code: FiringReason, message: string, pause?: SchedulePauseReason): Firing {
  return { outcome: "failed", reason: { code, message }, ...(pause === undefined ? {} : { pause }) };
}

const unknownTimes = failed(
  "not_possible",
  "this release does not understand the schedule's times or time zone; change them",
  "unknown_times",
);

/** Returns undefined if this due time already has its record. */
async function fire(inside: FiringContext, schedule: DueSchedule, dueAt: Date): Promise<Firing | undefined> {
  const scene = await scheduleFirings.findFiringConditions(inside.db, schedule, dueAt);
  if (scene.isRecorded) return undefined;
  if (scene.isAgentDeleted) return failed("agent_deleted", "the agent was deleted", "agent_deleted");
  if (scene.isSessionEnded) return failed("session_ended", "the session has ended or was deleted", "session_ended");
  // A message that could only wait is not sent. Otherwise all missed messages would run when the hold ends.
  if (scene.holdReason === "paused") return skipped("paused", "operators have stopped all turns");
  if (scene.holdReason === "budget") return skipped("budget", "a budget of the organization or the agent is used up");
  if (scene.isPreviousOpen && schedule.overlap === "skip") {
    return skipped("overlap", `the previous message, ${schedule.lastMessageId ?? ""}, has not ended`);
  }
  const actor = { organizationId: schedule.organizationId, keyId: "", scopes: [] };
  const { granted } = await inside.rates.take(actor, "messages", 1);
  if (!granted) return failed("rate_limited", "the organization's limit of messages per minute is reached");
  try {
    return await withSavepoint(inside.db, () => send(inside, schedule, dueAt, scene.isPreviousOpen));
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    return refusal;
  }
}

/** Leaves the turn to the dispatcher: hundreds of firings at the full hour would take all free slots. */
const neverAtOnce = { mayDispatch: () => false };

/** @throws AppError as `sendMessage`; `conflict` if the agent has no version. */
async function send(
  inside: FiringContext,
  schedule: DueSchedule,
  dueAt: Date,
  isPreviousOpen: boolean,
): Promise<Firing> {
  if (isPreviousOpen && schedule.overlap === "replace") await cancelPrevious(inside, schedule);
  const sessionId = schedule.sessionId ?? (await startSession(inside, schedule));
  const metadata = { ...(schedule.metadata as object), schedule_id: schedule.id, schedule_due_at: dueAt.toISOString() };
  const parts = schedule.parts as readonly MessagePartToSend[];
  const { messageId } = await sendMessage({ ...inside, admission: neverAtOnce }, schedule, {
    sessionId,
    parts,
    metadata,
    lane: requestedLane(schedule),
  });
  return { outcome: "fired", sessionId, messageId };
}

async function cancelPrevious(inside: FiringContext, schedule: DueSchedule): Promise<void> {
  const { organizationId, lastMessageId } = schedule;
  if (lastMessageId === null) return;
  const { outcome, sessionId } = await turns.cancelMessageOf(inside.db, organizationId, lastMessageId);
  if (outcome === "requested") inside.notifier.notify("cancel", lastMessageId);
  if (outcome !== "cancelled") return;
  inside.notifier.notify("message", lastMessageId);
  if (sessionId !== null) inside.notifier.notify("session", sessionId);
  inside.notifier.notify("ready", organizationId);
}

async function startSession(inside: FiringContext, schedule: DueSchedule): Promise<string> {
  const id = newId("session");
  const { organizationId, agentId, name } = schedule;
  const metadata = schedule.metadata as Record<string, unknown>;
  const session = {
    id,
    organizationId,
    agentId,
    versionId: undefined,
    name,
    metadata,
    secrets: [],
    createdBy: schedule.id,
  };
  const outcome = await sessions.insertSessionIfAgentLive(inside.db, session);
  if (outcome === "created") return id;
  throw new AppError("conflict", "the agent has no version that is ready or being built");
}

const refusals: Partial<Record<AppErrorCode, (detail: string) => Firing>> = {
  session_busy: (detail) => skipped("session_busy", detail),
  limit_exceeded: (detail) => failed("backlog_full", detail),
  quota_exceeded: (detail) => failed("quota_exceeded", detail),
  invalid: (detail) => failed("file_deleted", detail),
  conflict: (detail) => failed("not_possible", detail),
  not_found: (detail) => failed("not_possible", detail),
};

/** Returns undefined for an error that is not a refusal: the next try may succeed. */
function refusalOf(error: unknown): Firing | undefined {
  const refused = error instanceof AppError ? error : toQuotaError(error);
  return refused === undefined ? undefined : refusals[refused.code]?.(refused.detail);
}

async function advance(
  inside: FiringContext,
  schedule: DueSchedule,
  nextDueAt: Date,
  firing: Firing | undefined,
): Promise<void> {
  const messageId = firing?.outcome === "fired" ? { messageId: firing.messageId } : {};
  const pause = firing?.pause === undefined ? {} : { pause: firing.pause };
  const isMoved = await scheduleFirings.advanceScheduleIfAt(inside.db, schedule, { nextDueAt, ...messageId, ...pause });
  if (!isMoved) throw new Error(`the schedule ${schedule.id} has moved under its lock`);
  if (firing?.pause === undefined) return;
  await auditEntries.insertAuditEntry(inside.db, {
    id: newId("auditEntry"),
    organizationId: schedule.organizationId,
    actorKeyId: null,
    actorMemberId: null,
    action: "schedule.pause",
    target: schedule.id,
    details: { reason: firing.pause },
    requestId: null,
  });
}
