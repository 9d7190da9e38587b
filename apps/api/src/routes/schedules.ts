// Schedules: messages sent at due times, and the result of each due time.

import { renderList, scheduleStatuses } from "@dari/contract";
import {
  createSchedule,
  deleteSchedule,
  getSchedule,
  listScheduleFirings,
  listSchedules,
  updateSchedule,
} from "@dari/control/automation";
import { agentIdFromWire, firingOutcomes } from "@dari/domain";
import type { Call, Handlers } from "../http/call.ts";
import { readPage } from "../http/query.ts";

function placeOf({ actor, params }: Pick<Call<"getSchedule">, "actor" | "params">) {
  return { organizationId: actor.organizationId, scheduleId: params.schedule_id };
}

export const scheduleHandlers: Handlers<
  "listSchedules" | "createSchedule" | "getSchedule" | "updateSchedule" | "deleteSchedule" | "listScheduleFirings"
> = {
  async listSchedules({ control, actor, query }) {
    const agentId = query["agent_id"];
    const filter = {
      agentId: agentId === undefined ? undefined : agentIdFromWire(agentId),
      status: scheduleStatuses.find((status) => status === query["status"]),
    };
    return renderList("schedules", await listSchedules(control, actor, filter, readPage(query)));
  },

  createSchedule: {
    async create({ control, actor, body }) {
      const created = await createSchedule(control, actor, body);
      return { resourceId: created.id, reply: created };
    },
    read: ({ control, actor }, scheduleId) =>
      getSchedule(control, { organizationId: actor.organizationId, scheduleId }),
  },

  async getSchedule(call) {
    return getSchedule(call.control, placeOf(call));
  },

  async updateSchedule({ control, actor, params, body }) {
    return updateSchedule(control, actor, params.schedule_id, body);
  },

  async deleteSchedule({ control, actor, params }) {
    return deleteSchedule(control, actor, params.schedule_id);
  },

  async listScheduleFirings(call) {
    const { query } = call;
    const outcome = firingOutcomes.find((one) => one === query["outcome"]);
    const page = { ...readPage(query), outcome };
    return renderList("firings", await listScheduleFirings(call.control, placeOf(call), page));
  },
};
