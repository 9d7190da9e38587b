// What OAuth's clients read first: which server issues tokens for /mcp (RFC 9728), and what it can do (RFC 8414).

import { appScopes } from "@dari/contract";
import { mcpResource } from "@dari/control/tenants";

interface PublicSettings {
  readonly publicUrl: string;
}

export function resourceMetadata(config: PublicSettings) {
  return {
    resource: mcpResource(config),
    authorization_servers: [config.publicUrl],
    scopes_supported: [...appScopes],
    bearer_methods_supported: ["header"],
    resource_name: "Dari",
  };
}

export function serverMetadata({ publicUrl }: PublicSettings) {
  return {
    issuer: publicUrl,
    authorization_endpoint: `${publicUrl}/oauth/authorize`,
    token_endpoint: `${publicUrl}/oauth/token`,
    registration_endpoint: `${publicUrl}/oauth/register`,
    revocation_endpoint: `${publicUrl}/oauth/revoke`,
    scopes_supported: [...appScopes],
    response_types_supported: ["code"],
    response_modes_supported: ["query"],
    grant_types_supported: ["authorization_code", "refresh_token"],
    code_challenge_methods_supported: ["S256"],
    token_endpoint_auth_methods_supported: ["none"],
    revocation_endpoint_auth_methods_supported: ["none"],
    authorization_response_iss_parameter_supported: true,
  };
}
