// Organizations, and what a command line asks before it knows who it is.

import { release, renderList } from "@dari/contract";
import { createOrganization, getOrganization, invalidField, listOrganizations } from "@dari/control";
import type { Handlers } from "../http/call.ts";
import { readPage } from "../http/query.ts";

export const organizationHandlers: Handlers<
  "getAuthConfig" | "bootstrap" | "listOrganizations" | "createOrganization"
> = {
  /** The first two fields are those that the vendor's client insists on. */
  async getAuthConfig({ control, settings: { oidcName } }) {
    const sign_in = { oidc: oidcName !== null, oidc_name: oidcName };
    return { supabase_url: control.publicUrl, supabase_publishable_key: "none", sign_in, release };
  },

  async bootstrap({ control, actor }) {
    return { organizations: await listOrganizations(control, actor) };
  },

  async listOrganizations({ control, actor, query }) {
    const { after } = readPage(query);
    const rows = await listOrganizations(control, actor);
    // A key has one organization: the first page is the last.
    if (after === undefined) return renderList("organizations", rows, null);
    if (rows.some((row) => row.id === after)) return renderList("organizations", [], null);
    throw invalidField("after", "expected the `next` of a page of this list");
  },

  createOrganization: {
    async create({ control, actor, body }) {
      const created = await createOrganization(control, actor, body);
      return { resourceId: created.id, reply: created };
    },
    read: ({ control, actor }, organizationId) => getOrganization(control, actor, organizationId),
  },
};
