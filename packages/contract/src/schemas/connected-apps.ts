// Apps that people connect by OAuth, such as MCP clients: the request that a person decides, and the person's apps.

import { connectedAppLimits } from "@dari/domain";
import Type, { type Static, type TSchema } from "typebox";
import { idOutput, noOtherFields, nullable, oneOf, timestamp } from "./common.ts";
import { appScopes, redirectKinds, type appRequestParameters } from "../vocabulary.ts";

const text = (maxLength: number, description: string) => Type.String({ maxLength, description });

/** The parameters of an authorization request (OAuth 2.1), as the client sends them. */
const parameters = {
  client_id: text(connectedAppLimits.clientIdChars, "Client id, from the registration."),
  redirect_uri: text(connectedAppLimits.redirectUriChars, "Where the client wants the answer."),
  response_type: Type.Optional(text(50, "`code`.")),
  code_challenge: Type.Optional(text(200, "PKCE code challenge.")),
  code_challenge_method: Type.Optional(text(50, "`S256`.")),
  scope: Type.Optional(text(1_000, "Requested scopes, separated by spaces (default: all).")),
  resource: Type.Optional(text(connectedAppLimits.redirectUriChars, "URL of /mcp (RFC 8707).")),
  state: Type.Optional(text(connectedAppLimits.stateChars, "Value that the client gets back.")),
} satisfies Record<(typeof appRequestParameters)[number], TSchema>;

export const AppAuthorizationQuery = Type.Object(parameters);
export type AppAuthorizationQuery = Static<typeof AppAuthorizationQuery>;

const shownFields = {
  client_name: Type.String({ description: "Name that the client gives itself. It is not verified." }),
  redirect_host: Type.String({ description: "Host that the browser is sent to after the decision." }),
  redirect_kind: oneOf(redirectKinds),
  scopes: Type.Array(oneOf(appScopes), { description: "What the app can do at /mcp." }),
};

export const AppAuthorization = Type.Object(
  {
    ...shownFields,
    organization_id: idOutput("organization"),
    member_id: nullable(idOutput("member")),
    problem: nullable(
      Type.Object(
        { error: Type.String(), error_description: Type.String() },
        { description: "What is wrong with the request. Only `deny` is then possible, and tells it to the client." },
      ),
    ),
  },
  { title: "AppAuthorization" },
);
export type AppAuthorization = Static<typeof AppAuthorization>;

export const DecideAppAuthorizationRequest = Type.Object(
  {
    decision: oneOf(["approve", "deny"]),
    // Only compared with the caller's own.
    organization_id: text(64, "The organization that the request was shown for."),
    member_id: Type.Optional(text(64, "The member that the request was shown for; absent if it was null.")),
    ...parameters,
  },
  { ...noOtherFields, title: "DecideAppAuthorizationRequest" },
);
export type DecideAppAuthorizationRequest = Static<typeof DecideAppAuthorizationRequest>;

export const AppDecided = Type.Object(
  { redirect_to: Type.String({ description: "Where to send the browser: to the client, with a code or an error." }) },
  { title: "AppDecided" },
);
export type AppDecided = Static<typeof AppDecided>;

export const ConnectedApp = Type.Object(
  {
    id: idOutput("apiKey"),
    ...shownFields,
    created_at: timestamp,
    last_used_at: nullable(timestamp),
    expires_at: timestamp,
  },
  { title: "ConnectedApp" },
);
export type ConnectedApp = Static<typeof ConnectedApp>;
