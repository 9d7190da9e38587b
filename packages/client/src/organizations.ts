// Calls about organizations, keys and credentials. `current` is the key's own organization.

import type { CreateApiKeyRequest, CreateOrganizationRequest } from "@dari/contract";
import type { PageQuery } from "./pages.ts";
import type { CallOptions, Transport } from "./transport.ts";

export function organizationCalls({ call }: Transport) {
  const of = (organizationId: string) => ({ organization_id: organizationId });

  return {
    getAuthConfig: (options?: CallOptions) => call("getAuthConfig", { path: {}, options }),

    listOrganizations: (page: PageQuery = {}, options?: CallOptions) =>
      call("listOrganizations", { path: {}, query: { ...page }, options }),

    createOrganization: (body: CreateOrganizationRequest, options?: CallOptions) =>
      call("createOrganization", { path: {}, body, options }),

    listApiKeys: (organizationId = "current", page: PageQuery = {}, options?: CallOptions) =>
      call("listApiKeys", { path: of(organizationId), query: { ...page }, options }),

    /** The secret is in the reply's `api_key`, this once. */
    createApiKey: (body: CreateApiKeyRequest, organizationId = "current", options?: CallOptions) =>
      call("createApiKey", { path: of(organizationId), body, options }),

    revokeApiKey: (id: string, organizationId = "current", options?: CallOptions) =>
      call("revokeApiKey", { path: { ...of(organizationId), api_key_id: id }, options }),

    listCredentials: (organizationId = "current", page: PageQuery = {}, options?: CallOptions) =>
      call("listCredentials", { path: of(organizationId), query: { ...page }, options }),

    /** With `hosts` agents are given a placeholder. Absent: as before; null: they are given the value. */
    putCredential: (
      name: string,
      value: string,
      organizationId = "current",
      { hosts, ...options }: CallOptions & { readonly hosts?: string[] | null } = {},
    ) => {
      const body = hosts === undefined ? { value } : { value, hosts };
      return call("putCredential", { path: { ...of(organizationId), name }, body, options });
    },

    deleteCredential: (name: string, organizationId = "current", options?: CallOptions) =>
      call("deleteCredential", { path: { ...of(organizationId), name }, options }),
  };
}
