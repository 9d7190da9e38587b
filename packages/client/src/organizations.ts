// Calls about organizations, keys and credentials. `current` is the key's own organization.

import { createDeriver } from "./derive-methods.ts";
import type { CallOptions, Transport } from "./transport.ts";

export function organizationCalls(transport: Transport) {
  const { call } = transport;
  const { derived, derivedAll } = createDeriver(transport);
  return {
    ...derivedAll(
      "getAuthConfig",
      "listOrganizations",
      "createOrganization",
      "listApiKeys",
      "revokeApiKey",
      "listCredentials",
      "deleteCredential",
    ),

    /** The secret is in the reply's `api_key`, only this once. */
    createApiKey: derived("createApiKey"),

    /** With `hosts`, agents get a placeholder. Absent: not changed; null: they get the value. */
    putCredential: (
      name: string,
      value: string,
      organizationId = "current",
      { hosts, ...options }: CallOptions & { readonly hosts?: string[] | null } = {},
    ) => {
      const body = hosts === undefined ? { value } : { value, hosts };
      return call("putCredential", { path: { organization_id: organizationId, name }, body, options });
    },
  };
}
