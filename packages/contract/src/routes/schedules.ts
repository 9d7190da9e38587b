// Messages that the platform sends by the clock, and what came of each due time.

import { firingOutcomes } from "@dari/domain";
import Type from "typebox";
import type { Route } from "./route.ts";
import { Deleted, idInput, listOf, listQuery, oneOf } from "../schemas/common.ts";
import * as schedules from "../schemas/schedules.ts";

export const scheduleRoutes = {
  listSchedules: {
    method: "GET",
    path: "/v1/schedules",
    scope: "read",
    summary: "List schedules, newest first.",
    query: Type.Object({
      ...listQuery,
      agent_id: Type.Optional(idInput("agent", ["dep"])),
      status: Type.Optional(oneOf(schedules.scheduleStatuses)),
    }),
    reply: listOf("schedules", schedules.ScheduleRecord),
    status: 200,
  },
  createSchedule: {
    method: "POST",
    path: "/v1/schedules",
    scope: "run",
    summary: "Have a message sent by the clock: to a new session of an agent each time, or to one session.",
    request: schedules.CreateScheduleRequest,
    reply: schedules.ScheduleRecord,
    status: 201,
    idempotent: true,
  },
  getSchedule: {
    method: "GET",
    path: "/v1/schedules/{schedule_id}",
    scope: "read",
    summary: "Get a schedule.",
    reply: schedules.ScheduleRecord,
    status: 200,
  },
  updateSchedule: {
    method: "PATCH",
    path: "/v1/schedules/{schedule_id}",
    scope: "run",
    summary:
      "Change a schedule, or pause and resume it by its `status`. What is absent stays; what was due while it was " +
      "paused is not made up for.",
    request: schedules.UpdateScheduleRequest,
    reply: schedules.ScheduleRecord,
    status: 200,
  },
  deleteSchedule: {
    method: "DELETE",
    path: "/v1/schedules/{schedule_id}",
    scope: "run",
    summary: "Delete a schedule and the record of its firings; what it has sent goes on.",
    reply: Deleted,
    status: 200,
  },
  listScheduleFirings: {
    method: "GET",
    path: "/v1/schedules/{schedule_id}/firings",
    scope: "read",
    summary: "List what came of each due time, newest first.",
    query: Type.Object({ ...listQuery, outcome: Type.Optional(oneOf(firingOutcomes)) }),
    reply: listOf("firings", schedules.FiringRecord),
    status: 200,
  },
} as const satisfies Record<string, Route>;
