// A person approves or denies that a client gets a key. The request is in the address that the client opens; nothing is
// stored before the approval.

import {
  appScopes,
  hasScope,
  type AppAuthorization,
  type AppAuthorizationQuery,
  type AppDecided,
  type AppScope,
  type DecideAppAuthorizationRequest,
} from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { connectedApps } from "@dari/db";
import { AppError, connectedAppLimits, invalidField, newId } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { createKeySecret } from "../keys/key-secret.ts";
import { lockInviters } from "../sign-in/lock-inviters.ts";
import { problem, readClient, type AppClient, type OAuthProblem } from "./app-client.ts";
import { addParameters, describeRedirect, isRegistered } from "./redirect-uri.ts";
import { isOwnResource, requireApps } from "./mcp-resource.ts";
import { codeOf } from "./signed-text.ts";

interface CheckedRequest {
  readonly client: AppClient;
  readonly scopes: readonly AppScope[];
  /** What is wrong. The client can be told, because its redirect URI is registered. */
  readonly problem: OAuthProblem | undefined;
}

/** @throws AppError `forbidden` for keys; `invalid` if the browser must not be sent to the client's redirect URI. */
export function getAppAuthorization(control: Control, actor: Actor, query: AppAuthorizationQuery): AppAuthorization {
  requireApprover(actor);
  const { client, scopes, problem: found } = checkRequest(control, query);
  const { host, kind } = describeRedirect(query.redirect_uri);
  return {
    client_name: client.name,
    redirect_host: host,
    redirect_kind: kind,
    scopes: [...scopes],
    organization_id: actor.organizationId,
    member_id: actor.person?.memberId ?? null,
    problem: found === undefined ? null : { error: found.error, error_description: found.description },
  };
}

/**
 * Returns where the browser goes next: back to the client, with a code or an error.
 * @throws AppError as `getAppAuthorization`; `invalid` for the approval of a wrong request; `conflict` if the browser
 *   was shown the request as someone else, or the person has the maximum of apps; `quota_exceeded`.
 */
export async function decideAppAuthorization(
  control: Control,
  actor: Actor,
  { decision, organization_id: organizationId, member_id: memberId, ...query }: DecideAppAuthorizationRequest,
): Promise<AppDecided> {
  requireApprover(actor);
  if (organizationId !== actor.organizationId || memberId !== actor.person?.memberId) {
    throw new AppError("conflict", "this browser has signed in as someone else since the page was shown; reload it");
  }
  const checked = checkRequest(control, query);
  const answer = { state: query.state, iss: control.publicUrl };
  if (decision === "deny") {
    const { error, description } = checked.problem ?? problem("access_denied", "the person denied the request");
    return { redirect_to: addParameters(query.redirect_uri, { error, error_description: description, ...answer }) };
  }
  if (checked.problem !== undefined) throw invalidField("decision", checked.problem.description);
  const keyId = await approve(control, actor, query, checked);
  return { redirect_to: addParameters(query.redirect_uri, { code: codeOf(control, keyId), ...answer }) };
}

/** Makes the key, which nobody can use before the client has exchanged the code. Returns its id. */
async function approve(
  control: Control,
  actor: Actor,
  query: AppAuthorizationQuery,
  { client, scopes }: CheckedRequest,
): Promise<string> {
  const memberId = actor.person?.memberId;
  const { codeMs, perOwner } = connectedAppLimits;
  const key = {
    id: newId("apiKey"),
    organizationId: actor.organizationId,
    label: `app: ${client.name}`,
    secretHash: createKeySecret().hash,
    scopes,
    memberId,
    expiresAt: new Date(Date.now() + codeMs),
    managesOwners: false,
  };
  const of = { clientId: query.client_id, clientName: client.name, redirectUri: query.redirect_uri };
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      // The key follows its own person's membership and role in any case.
      const invitedBy = (await lockInviters(inside, actor)).filter((id) => id !== memberId);
      const app = { ...of, key: { ...key, invitedBy }, codeChallenge: query.code_challenge ?? "", codeMs };
      if (await connectedApps.insertConnectedAppIfBelow(inside.db, app, perOwner)) return;
      throw new AppError("conflict", `limit reached: ${perOwner} connected apps; disconnect some`);
    },
    () => ({
      action: "app.approve",
      target: key.id,
      details: { client: client.name, redirect_host: describeRedirect(query.redirect_uri).host, scopes: key.scopes },
    }),
  );
  return key.id;
}

/**
 * @throws AppError `invalid` if the client or its redirect URI is wrong: the browser must not be sent there;
 *   `not_found` if apps cannot connect.
 */
function checkRequest(control: Control, query: AppAuthorizationQuery): CheckedRequest {
  requireApps(control);
  const client = readClient(control, query.client_id);
  if (client === undefined) {
    throw invalidField("client_id", "this platform has not registered the client; remove it there and add it again");
  }
  if (!isRegistered(client.redirectUris, query.redirect_uri)) {
    throw invalidField("redirect_uri", "the client has not registered this address");
  }
  const asked = (query.scope ?? "").split(" ").filter((scope) => scope !== "");
  const known = appScopes.filter((scope) => asked.length === 0 || asked.includes(scope));
  return { client, scopes: known, problem: findProblem(control, query, known) };
}

function findProblem(control: Control, query: AppAuthorizationQuery, scopes: readonly AppScope[]) {
  if (query.response_type !== "code") return problem("unsupported_response_type", "expected response_type=code");
  if (query.code_challenge_method !== "S256" || !/^[A-Za-z0-9_-]{43}$/.test(query.code_challenge ?? "")) {
    return problem("invalid_request", "expected a code_challenge with code_challenge_method=S256 (PKCE)");
  }
  if (scopes.length === 0) return problem("invalid_scope", `expected at least one of: ${appScopes.join(", ")}`);
  if (!isOwnResource(control, query.resource)) {
    return problem("invalid_target", `expected resource=${control.publicUrl}/mcp`);
  }
  return undefined;
}

/** A key that authorizes others would have an effect after its end. An admin's key can create keys in any case. */
function requireApprover({ person, signInMethod, keySignInId, scopes }: Actor): void {
  if (person !== undefined && signInMethod !== undefined) return;
  if (keySignInId !== undefined && hasScope(scopes, "admin")) return;
  throw new AppError(
    "forbidden",
    "only people who are signed in with a browser can connect an app: by a link, a provider or an admin's key; " +
      "or give the app an API key",
  );
}
