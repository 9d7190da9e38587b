// Organizations, and what a command line asks before it signs in.

import { dariRelease, renderList } from "@dari/contract";
import { createOrganization, getOrganization, listOrganizations } from "@dari/control/tenants";
import { limits } from "@dari/domain";
import type { Handlers } from "../http/call.ts";
import { readPage } from "../http/query.ts";

export const organizationHandlers: Handlers<
  "getAuthConfig" | "bootstrap" | "listOrganizations" | "createOrganization"
> = {
  /** The vendor's client requires the first two fields. */
  async getAuthConfig({ control, settings: { oidcName } }) {
    const sign_in = { oidc: oidcName !== null, oidc_name: oidcName };
    return { supabase_url: control.publicUrl, supabase_publishable_key: "none", sign_in, release: dariRelease };
  },

  async bootstrap({ control, actor }) {
    const { rows } = await listOrganizations(control, actor, { limit: limits.listLimitMax });
    return { organizations: rows };
  },

  async listOrganizations({ control, actor, query }) {
    return renderList("organizations", await listOrganizations(control, actor, readPage(query)));
  },

  createOrganization: {
    async create({ control, actor, body }) {
      const created = await createOrganization(control, actor, body);
      return { resourceId: created.id, reply: created };
    },
    read: ({ control, actor }, organizationId) => getOrganization(control, actor, organizationId),
  },
};
