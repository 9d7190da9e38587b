// Tokens with which browsers use one session, and the origins from which they can.

import { createSessionToken, getAllowedOrigins, putAllowedOrigins, revokeSessionTokens } from "@dari/control/tenants";
import type { Handlers } from "../http/call.ts";

export const sessionTokenHandlers: Handlers<
  "createSessionToken" | "revokeSessionTokens" | "getAllowedOrigins" | "putAllowedOrigins"
> = {
  async createSessionToken({ control, actor, params, body, response }) {
    response.set("cache-control", "no-store");
    return createSessionToken(control, actor, params.session_id, body);
  },

  async revokeSessionTokens({ control, actor, params }) {
    await revokeSessionTokens(control, actor, params.session_id);
    return { deleted: true };
  },

  async getAllowedOrigins({ control, params }) {
    return getAllowedOrigins(control, params.organization_id);
  },

  async putAllowedOrigins({ control, actor, params, body }) {
    return putAllowedOrigins(control, actor, params.organization_id, body);
  },
};
