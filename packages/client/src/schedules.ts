// Calls about messages that the platform sends by the clock.

import type { CreateScheduleRequest, FiringRecord, ScheduleStatus, UpdateScheduleRequest } from "@dari/contract";
import type { PageQuery } from "./pages.ts";
import type { CallOptions, Transport } from "./transport.ts";

export interface ScheduleQuery extends PageQuery {
  readonly agentId?: string;
  readonly status?: ScheduleStatus;
}

export interface FiringQuery extends PageQuery {
  readonly outcome?: FiringRecord["outcome"];
}

export function scheduleCalls({ call }: Transport) {
  return {
    listSchedules: ({ agentId, ...query }: ScheduleQuery = {}, options?: CallOptions) =>
      call("listSchedules", { path: {}, query: { ...query, agent_id: agentId }, options }),

    /** For an agent, a new session each time; or for one session. */
    createSchedule: (body: CreateScheduleRequest, options?: CallOptions) =>
      call("createSchedule", { path: {}, body, options }),

    getSchedule: (id: string, options?: CallOptions) => call("getSchedule", { path: { schedule_id: id }, options }),

    /** What is absent stays; `status` pauses it and lets it go on. */
    updateSchedule: (id: string, body: UpdateScheduleRequest, options?: CallOptions) =>
      call("updateSchedule", { path: { schedule_id: id }, body, options }),

    deleteSchedule: (id: string, options?: CallOptions) =>
      call("deleteSchedule", { path: { schedule_id: id }, options }),

    /** What came of each due time, newest first. */
    listScheduleFirings: (id: string, query: FiringQuery = {}, options?: CallOptions) =>
      call("listScheduleFirings", { path: { schedule_id: id }, query: { ...query }, options }),
  };
}
