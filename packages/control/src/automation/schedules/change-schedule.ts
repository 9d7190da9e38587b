// Creates, changes and deletes schedules. Checks the messages as far as possible before they are sent.

import type { CreateScheduleRequest, Deleted, ScheduleRecord, UpdateScheduleRequest } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { withAuditEntry } from "@dari/control/tenants";
import { schedules, turnDetails } from "@dari/db";
import { agentIdFromWire, AppError, invalidField, isId, limits, newId, notFound } from "@dari/domain";
import { checkTimeZone, findNextDueTime, normalizeCron } from "./cron.ts";
import { getSchedule } from "./get-schedule.ts";

type Parts = CreateScheduleRequest["parts"];

/**
 * First due after now, by the database's clock.
 * @throws AppError `invalid` for times, parts, an agent or a session that is not allowed; `conflict` if the limit of
 *   schedules is reached or the session has ended.
 */
export async function createSchedule(
  control: Control,
  actor: Actor,
  request: CreateScheduleRequest,
): Promise<ScheduleRecord> {
  const { organizationId } = actor;
  const { agent_id: agentId, session_id: sessionId } = request;
  if ((agentId === undefined) === (sessionId === undefined)) {
    throw invalidField("agent_id", "expected either `agent_id` or `session_id`");
  }
  const times = { cron: normalizeCron(request.cron), timeZone: request.time_zone ?? "UTC" };
  checkTimeZone(times.timeZone);
  await checkParts(control, actor, request.parts);
  const id = newId("schedule");
  const schedule = {
    id,
    organizationId,
    agentId: agentId === undefined ? undefined : agentIdFromWire(agentId),
    sessionId: sessionId ?? null,
    name: request.name?.trim() ?? null,
    ...times,
    parts: request.parts,
    metadata: request.metadata ?? {},
    overlap: request.overlap ?? "skip",
    isBackground: request.lane !== "interactive",
    status: request.status ?? "active",
    changedByKeyId: keyOf(actor),
  };
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const most = limits.schedulesPerOrganization;
      const outcome = await schedules.insertScheduleIfBelow(inside.db, schedule, most, (now) =>
        findNextDueTime(times, now),
      );
      if (outcome !== "created") throw refusal(outcome);
    },
    () => ({
      action: "schedule.create",
      target: id,
      details: {
        agent_id: schedule.agentId ?? null,
        session_id: schedule.sessionId,
        cron: times.cron,
        time_zone: times.timeZone,
      },
    }),
  );
  return getSchedule(control, { organizationId, scheduleId: id });
}

/** Returns null for a person in a browser. */
const keyOf = ({ keyId }: Actor): string | null => (isId("apiKey", keyId) ? keyId : null);

function refusal(outcome: Exclude<schedules.InsertedSchedule, "created">): AppError {
  switch (outcome) {
    case "no_agent":
      return invalidField("agent_id", "agent not found");
    case "no_session":
      return invalidField("session_id", "session not found");
    case "session_ended":
      return new AppError("conflict", "the session has ended and accepts no more messages; choose another one");
    case "too_many":
      return new AppError(
        "conflict",
        `limit reached: ${limits.schedulesPerOrganization} schedules per organization; delete one first`,
      );
  }
}

async function checkParts(control: Control, actor: Actor, parts: Parts): Promise<void> {
  if (Buffer.byteLength(JSON.stringify(parts)) > limits.schedulePartsBytes) {
    throw invalidField(
      "parts",
      `expected at most ${limits.schedulePartsBytes} bytes together; upload larger content as a file`,
    );
  }
  const fileIds = parts.flatMap((part) => (part.type === "text" ? [] : [part.file_id]));
  const known = await turnDetails.listFilenames(control.db, actor.organizationId, fileIds);
  const index = parts.findIndex((part) => part.type !== "text" && !known.has(part.file_id));
  if (index >= 0) throw invalidField(`parts[${index}].file_id`, "file not found");
}

/**
 * When the times change, a due time that has passed without a firing is dropped.
 * @throws AppError `not_found`; `invalid` as for creation; `conflict` if the agent or session is gone.
 */
export async function updateSchedule(
  control: Control,
  actor: Actor,
  scheduleId: string,
  request: UpdateScheduleRequest,
): Promise<ScheduleRecord> {
  const place = { organizationId: actor.organizationId, scheduleId };
  const { name, cron, time_zone: timeZone, parts, metadata, overlap, lane, status } = request;
  if (timeZone !== undefined) checkTimeZone(timeZone);
  if (parts !== undefined) await checkParts(control, actor, parts);
  const times = { cron: cron === undefined ? undefined : normalizeCron(cron), timeZone };
  const isBackground = lane === undefined ? undefined : lane === "background";
  const kept = { name: name?.trim(), ...times, parts, metadata, overlap, isBackground, status };
  const change = { ...kept, changedByKeyId: keyOf(actor) };
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const outcome = await schedules.updateScheduleIfFound(inside.db, place, change, findNextDueTime);
      if (outcome === "missing") throw notFound("schedule");
      if (outcome === "agent_deleted") throw new AppError("conflict", "the schedule's agent was deleted");
      if (outcome === "session_ended") throw new AppError("conflict", "the schedule's session has ended");
    },
    () => ({
      action: "schedule.update",
      target: scheduleId,
      details: { changed: Object.keys(request), ...(status === undefined ? {} : { status }) },
    }),
  );
  return getSchedule(control, place);
}

/** @throws AppError `not_found` */
export async function deleteSchedule(control: Control, actor: Actor, scheduleId: string): Promise<Deleted> {
  const place = { organizationId: actor.organizationId, scheduleId };
  const deleted = await withAuditEntry(
    control,
    actor,
    (inside) => schedules.deleteScheduleIfFound(inside.db, place),
    (done) => (done ? { action: "schedule.delete", target: scheduleId } : undefined),
  );
  if (!deleted) throw notFound("schedule");
  return { deleted: true, id: scheduleId };
}
