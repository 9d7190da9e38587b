// Organizations, keys, credentials, and the first requests of the hosted service's command line.

import Type from "typebox";
import type { Route } from "./route.ts";
import { Deleted, listOf, listQuery } from "../schemas/common.ts";
import * as orgs from "../schemas/organizations.ts";

const page = Type.Object(listQuery);

export const organizationRoutes = {
  getAuthConfig: {
    method: "GET",
    path: "/v1/auth/config",
    scope: null,
    summary: "Get how people sign in.",
    reply: orgs.AuthConfig,
    status: 200,
  },
  bootstrap: {
    method: "POST",
    path: "/v1/me/bootstrap",
    scope: "read",
    summary: "List the caller's organization and the organizations that its key created.",
    request: Type.Object({}, { title: "BootstrapRequest" }),
    bodyOptional: true,
    reply: orgs.Bootstrap,
    status: 200,
  },
  listOrganizations: {
    method: "GET",
    path: "/v1/organizations",
    scope: "read",
    summary: "List the caller's organization, then the organizations that its key created, newest first.",
    query: page,
    reply: listOf("organizations", orgs.OrganizationRecord),
    status: 200,
  },
  createOrganization: {
    method: "POST",
    path: "/v1/organizations",
    scope: "admin",
    summary: "Create an organization.",
    request: orgs.CreateOrganizationRequest,
    reply: orgs.OrganizationCreated,
    status: 201,
    idempotent: true,
  },
  listApiKeys: {
    method: "GET",
    path: "/v1/organizations/{organization_id}/api-keys",
    scope: "admin",
    summary: "List API keys, without their secrets.",
    query: page,
    reply: listOf("api_keys", orgs.ApiKeyRecord),
    status: 200,
  },
  createApiKey: {
    method: "POST",
    path: "/v1/organizations/{organization_id}/api-keys",
    scope: "admin",
    summary: "Create an API key. Its secret is shown once.",
    request: orgs.CreateApiKeyRequest,
    reply: orgs.ApiKeyCreated,
    status: 201,
    idempotent: true,
  },
  revokeApiKey: {
    method: "DELETE",
    path: "/v1/organizations/{organization_id}/api-keys/{api_key_id}",
    scope: "admin",
    summary: "Revoke an API key.",
    reply: orgs.ApiKeyRevoked,
    status: 200,
  },
  ensureManagedKey: {
    method: "POST",
    path: "/v1/organizations/{organization_id}/managed-cli-key/ensure",
    scope: "admin",
    allowsCreator: true,
    summary: "Create an API key for a device. It replaces the device's earlier key.",
    request: orgs.EnsureManagedKeyRequest,
    reply: orgs.ManagedKey,
    status: 200,
  },
  listCredentials: {
    method: "GET",
    path: "/v1/organizations/{organization_id}/credentials",
    scope: "admin",
    summary: "List credentials, without their values.",
    query: page,
    reply: listOf("credentials", orgs.CredentialRecord),
    status: 200,
  },
  putCredential: {
    method: "PUT",
    path: "/v1/organizations/{organization_id}/credentials/{name}",
    scope: "admin",
    summary: "Set a credential's value.",
    request: orgs.PutCredentialRequest,
    reply: orgs.CredentialPut,
    status: 200,
    alsoStatus: [201],
  },
  deleteCredential: {
    method: "DELETE",
    path: "/v1/organizations/{organization_id}/credentials/{name}",
    scope: "admin",
    summary: "Delete a credential.",
    reply: Deleted,
    status: 200,
  },
} as const satisfies Record<string, Route>;
