// Tokens for browsers, and the origins from which browsers can use them.

import type { Route } from "./route.ts";
import { Deleted } from "../schemas/common.ts";
import * as tokens from "../schemas/session-tokens.ts";

const tokensPath = "/v1/sessions/{session_id}/tokens";
const originsPath = "/v1/organizations/{organization_id}/allowed-origins";

export const sessionTokenRoutes = {
  createSessionToken: {
    method: "POST",
    path: tokensPath,
    scope: "run",
    summary: "Create a token with which a browser can use this session, and nothing else, until it expires.",
    request: tokens.CreateSessionTokenRequest,
    bodyOptional: true,
    reply: tokens.SessionTokenCreated,
    status: 201,
  },
  revokeSessionTokens: {
    method: "DELETE",
    path: tokensPath,
    scope: "run",
    summary: "Revoke all tokens of this session. Streams that were opened with them end within seconds.",
    reply: Deleted,
    status: 200,
  },
  getAllowedOrigins: {
    method: "GET",
    path: originsPath,
    scope: "admin",
    allowsOperators: true,
    summary: "Get the origins whose pages can use the organization's session tokens.",
    reply: tokens.AllowedOrigins,
    status: 200,
  },
  putAllowedOrigins: {
    method: "PUT",
    path: originsPath,
    scope: "admin",
    allowsOperators: true,
    summary: "Set the origins whose pages can use the organization's session tokens. An empty list allows no page.",
    request: tokens.PutAllowedOriginsRequest,
    reply: tokens.AllowedOrigins,
    status: 200,
  },
} as const satisfies Record<string, Route>;
