// The network rules of an organization's agents.

import { deleteEgress, getEgress, putEgress } from "@dari/control/tenants";
import type { Handlers } from "../http/call.ts";

export const egressHandlers: Handlers<"getEgress" | "putEgress" | "deleteEgress"> = {
  async getEgress({ control, params }) {
    return getEgress(control, params.organization_id);
  },

  async putEgress({ control, actor, params, body }) {
    return putEgress(control, actor, params.organization_id, body);
  },

  async deleteEgress({ control, actor, params }) {
    return deleteEgress(control, actor, params.organization_id);
  },
};
