// Calls about messages that the platform sends on a schedule.

import type { FiringRecord, ScheduleStatus } from "@dari/contract";
import type { PageQuery } from "./pages.ts";
import { createDeriver } from "./derive-methods.ts";
import type { CallOptions, Transport } from "./transport.ts";

export interface ScheduleQuery extends PageQuery {
  readonly agentId?: string;
  readonly status?: ScheduleStatus;
}

export interface FiringQuery extends PageQuery {
  readonly outcome?: FiringRecord["outcome"];
}

export function scheduleCalls(transport: Transport) {
  const { call } = transport;
  const { derived, derivedAll } = createDeriver(transport);
  return {
    ...derivedAll("getSchedule", "deleteSchedule"),

    listSchedules: ({ agentId, ...query }: ScheduleQuery = {}, options?: CallOptions) =>
      call("listSchedules", { path: {}, query: { ...query, agent_id: agentId }, options }),

    /** For an agent, with a new session each time; or for one session. */
    createSchedule: derived("createSchedule"),

    /** Absent fields are not changed; `status` pauses and resumes it. */
    updateSchedule: derived("updateSchedule"),

    /** The outcome of each due time, newest first. */
    listScheduleFirings: (id: string, query: FiringQuery = {}, options?: CallOptions) =>
      call("listScheduleFirings", { path: { schedule_id: id }, query: { ...query }, options }),
  };
}
