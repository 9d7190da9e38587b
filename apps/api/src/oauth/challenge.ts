// The header that tells an MCP client where to get a token (RFC 9728, section 5.1).

import { appScopes } from "@dari/contract";
import { whyNoApps } from "@dari/control/tenants";

/** The path of the metadata of /mcp: the well-known path with the path of the resource after it. */
export const resourceMetadataPath = "/.well-known/oauth-protected-resource/mcp";

/**
 * Returns the `WWW-Authenticate` of a 401 at /mcp. `error`: why a token was refused; undefined if there was none. Where
 * apps cannot connect, it only asks for a bearer, which can be an API key.
 */
export function challengeHeader(config: { readonly publicUrl: string }, error?: "invalid_token"): string {
  const why = error === undefined ? "" : `error="${error}", `;
  if (whyNoApps(config) !== undefined) return "Bearer";
  return `Bearer ${why}resource_metadata="${config.publicUrl}${resourceMetadataPath}", scope="${appScopes.join(" ")}"`;
}
