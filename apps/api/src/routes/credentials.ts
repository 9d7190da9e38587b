// Credentials. Their values are never returned.

import { renderList } from "@dari/contract";
import { deleteCredential, listCredentials, putCredential } from "@dari/control/tenants";
import { Reply, type Handlers } from "../http/call.ts";
import { readPage } from "../http/query.ts";

export const credentialHandlers: Handlers<"listCredentials" | "putCredential" | "deleteCredential"> = {
  async listCredentials({ control, actor, query }) {
    return renderList("credentials", await listCredentials(control, actor, readPage(query)));
  },

  async putCredential({ control, actor, params, body }) {
    const stored = await putCredential(control, actor, { name: params.name, ...body });
    return new Reply(stored.created ? 201 : 200, stored);
  },

  async deleteCredential({ control, actor, params }) {
    return deleteCredential(control, actor, params.name);
  },
};
