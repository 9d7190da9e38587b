// Messages that the platform sends at set times, and the outcome of each due time.

import { firingOutcomes } from "@dari/domain";
import Type from "typebox";
import type { Route } from "./route.ts";
import { Deleted, agentInput, listOf, listQuery, oneOf } from "../schemas/common.ts";
import * as schedules from "../schemas/schedules.ts";
import { scheduleStatuses } from "../vocabulary.ts";

export const scheduleRoutes = {
  listSchedules: {
    method: "GET",
    path: "/v1/schedules",
    scope: "read",
    summary: "List schedules, newest first.",
    query: Type.Object({
      ...listQuery,
      agent_id: Type.Optional(agentInput),
      status: Type.Optional(oneOf(scheduleStatuses)),
    }),
    reply: listOf("schedules", schedules.ScheduleRecord),
    status: 200,
  },
  createSchedule: {
    method: "POST",
    path: "/v1/schedules",
    scope: "run",
    summary: "Send a message at set times: to a new session of an agent each time, or always to one session.",
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
      "Change a schedule, or pause and resume it with `status`. Absent fields keep their values. Due times that " +
      "passed during a pause are not made up for.",
    request: schedules.UpdateScheduleRequest,
    reply: schedules.ScheduleRecord,
    status: 200,
  },
  deleteSchedule: {
    method: "DELETE",
    path: "/v1/schedules/{schedule_id}",
    scope: "run",
    summary: "Delete a schedule and its firings. Messages that it sent continue.",
    reply: Deleted,
    status: 200,
  },
  listScheduleFirings: {
    method: "GET",
    path: "/v1/schedules/{schedule_id}/firings",
    scope: "read",
    summary: "List the outcome of each due time, newest first.",
    query: Type.Object({ ...listQuery, outcome: Type.Optional(oneOf(firingOutcomes)) }),
    reply: listOf("firings", schedules.FiringRecord),
    status: 200,
  },
} as const satisfies Record<string, Route>;
