// API keys.

import { renderList } from "@dari/contract";
import { createApiKey, ensureManagedKey, getApiKey, listApiKeys, revokeApiKey } from "@dari/control/tenants";
import type { Handlers } from "../http/call.ts";
import { readPage } from "../http/query.ts";

export const apiKeyHandlers: Handlers<"listApiKeys" | "createApiKey" | "revokeApiKey" | "ensureManagedKey"> = {
  async listApiKeys({ control, actor, query }) {
    return renderList("api_keys", await listApiKeys(control, actor, readPage(query)));
  },

  createApiKey: {
    async create({ control, actor, body }) {
      const created = await createApiKey(control, actor, body);
      return { resourceId: created.id, reply: created };
    },
    read: ({ control, actor }, keyId) => getApiKey(control, actor, keyId),
  },

  async revokeApiKey({ control, actor, params }) {
    return revokeApiKey(control, actor, params.api_key_id);
  },

  async ensureManagedKey({ control, actor, params, body }) {
    return ensureManagedKey(control, actor, { ...body, organizationId: params.organization_id });
  },
};
