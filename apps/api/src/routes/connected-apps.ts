// Apps that people connect by OAuth: the person's decision, and the person's apps.

import { renderList, type AppAuthorizationQuery } from "@dari/contract";
import { decideAppAuthorization, disconnectApp, getAppAuthorization, listConnectedApps } from "@dari/control/tenants";
import type { Handlers } from "../http/call.ts";
import { readPage } from "../http/query.ts";

export const connectedAppHandlers: Handlers<
  "getAppAuthorization" | "decideAppAuthorization" | "listConnectedApps" | "disconnectApp"
> = {
  async getAppAuthorization({ control, actor, query }) {
    // The route's schema has checked it.
    return getAppAuthorization(control, actor, query as unknown as AppAuthorizationQuery);
  },

  async decideAppAuthorization({ control, actor, body }) {
    return decideAppAuthorization(control, actor, body);
  },

  async listConnectedApps({ control, actor, query }) {
    return renderList("apps", await listConnectedApps(control, actor, readPage(query)));
  },

  async disconnectApp({ control, actor, params }) {
    await disconnectApp(control, actor, params.api_key_id);
    return { deleted: true, id: params.api_key_id };
  },
};
