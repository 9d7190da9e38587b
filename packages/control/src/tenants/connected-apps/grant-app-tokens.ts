// Exchanges codes and refresh tokens for tokens, and ends apps. What a client repeats by mistake within seconds gets
// the same tokens again, because they follow from the key's id and the generation. A later use ends the app.

import { createHash } from "node:crypto";
import type { Actor, Control } from "@dari/control/context";
import { apiKeys, connectedApps, type AdvancedApp } from "@dari/db";
import { connectedAppLimits } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { hashKeySecret, isKeySecret } from "../keys/key-secret.ts";
import { createPersonActor } from "../sign-in/sign-in-browser.ts";
import { problem, readClient, type OAuthProblem } from "./app-client.ts";
import { isOwnResource } from "./mcp-resource.ts";
import { accessTokenOf, readCode, readRefreshToken, refreshTokenOf } from "./signed-text.ts";

/** The parameters of a token request. Each is given at most once. */
export type TokenRequest = Readonly<Partial<Record<string, string>>>;

export interface AppTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly scopes: readonly string[];
  /** Seconds for which the access token is valid. */
  readonly seconds: number;
}

/**
 * Answers a token request. A code or a token that was not made here costs no query. `countRequest` counts a request of
 * an app or a code, and throws if there are too many.
 */
export async function grantAppTokens(
  control: Control,
  request: TokenRequest,
  countRequest: (subject: string) => void,
): Promise<AppTokens | OAuthProblem> {
  const { grant_type: type, client_id: clientId = "", resource } = request;
  // The error makes a client register again.
  if (readClient(control, clientId) === undefined)
    return problem("invalid_client", "the client is not registered here");
  if (!isOwnResource(control, resource)) return problem("invalid_target", "the tokens are for another resource");
  const counting = { clientId, countRequest };
  if (type === "authorization_code") return exchangeCode(control, counting, request);
  if (type === "refresh_token") return refresh(control, counting, request);
  return problem("unsupported_grant_type", "expected grant_type=authorization_code or refresh_token");
}

const badCode = problem("invalid_grant", "the code is wrong, expired or used, or belongs to another request");
const badToken = problem("invalid_grant", "the refresh token is wrong, expired or revoked; connect again");

interface CountedClient {
  readonly clientId: string;
  readonly countRequest: (subject: string) => void;
}

async function exchangeCode(control: Control, { clientId, countRequest }: CountedClient, request: TokenRequest) {
  const { code = "", code_verifier: verifier = "", redirect_uri: redirectUri } = request;
  if (!/^[A-Za-z0-9._~-]{43,128}$/.test(verifier)) return problem("invalid_request", "expected code_verifier (PKCE)");
  const keyId = readCode(control, code);
  if (keyId === undefined) return badCode;
  // Limited by code, and not by the key's id. Otherwise a holder of an old code could use up the app's requests.
  countRequest(code);
  const codeChallenge = createHash("sha256").update(verifier).digest("base64url");
  const approved = { redirectUri, codeChallenge };
  const app = await connectedApps.useCodeIfValid(control.db, {
    ...advanceTo(control, keyId, clientId, 1),
    ...approved,
  });
  if (app !== undefined) {
    control.log.info({ org: app.organizationId, key: keyId, app: app.clientName }, "app.connected");
    return tokensOf(control, keyId, 1, app);
  }
  const state = await connectedApps.findAppState(control.db, keyId);
  // Two holders of the code and its verifier: one of them has stolen both, and may have the tokens.
  const isReused = state?.isLive === true && state.generation > 0 && state.clientId === clientId;
  if (!isReused || state.codeChallenge !== codeChallenge) return badCode;
  if (redirectUri === undefined || redirectUri === state.redirectUri) {
    await endApp(control, keyId, state, "code_reused");
  }
  return badCode;
}

async function refresh(control: Control, { clientId, countRequest }: CountedClient, request: TokenRequest) {
  const { keyId, generation = 0 } = readRefreshToken(control, request["refresh_token"] ?? "") ?? {};
  if (keyId === undefined) return badToken;
  countRequest(keyId);
  const next = generation + 1;
  const advance = advanceTo(control, keyId, clientId, next);
  const app = await connectedApps.useRefreshTokenIfCurrent(control.db, advance, generation);
  if (app !== undefined) return tokensOf(control, keyId, next, app);
  const state = await connectedApps.findAppState(control.db, keyId);
  if (state?.isLive !== true || state.clientId !== clientId || state.generation <= generation) return badToken;
  // The reply may not have arrived, or two programs of the client share the token.
  const isRepeated = state.generation === next && state.changedMs <= connectedAppLimits.repeatMs;
  if (isRepeated) {
    control.log.warn({ org: state.organizationId, key: keyId, app: state.clientName }, "app.refresh_repeated");
    return tokensOf(control, keyId, next, state);
  }
  await endApp(control, keyId, state, "refresh_token_reused");
  return badToken;
}

function advanceTo(control: Control, keyId: string, clientId: string, generation: number) {
  const { accessTokenMs, refreshTokenMs, appMs } = connectedAppLimits;
  const secretHash = hashKeySecret(accessTokenOf(control, keyId, generation));
  return { keyId, clientId, secretHash, accessTokenMs, refreshTokenMs, appMs };
}

function tokensOf(control: Control, keyId: string, generation: number, app: AdvancedApp): AppTokens {
  return {
    accessToken: accessTokenOf(control, keyId, generation),
    refreshToken: refreshTokenOf(control, keyId, generation),
    scopes: app.scopes,
    seconds: Math.max(0, app.seconds),
  };
}

/** Ends the app that a token belongs to (RFC 7009). Does nothing for a token that is unknown or of another client. */
export async function revokeAppToken(control: Control, token: string, clientId: string | undefined): Promise<void> {
  const keyId = readRefreshToken(control, token)?.keyId ?? (await findByAccessToken(control, token));
  const state = keyId === undefined ? undefined : await connectedApps.findAppState(control.db, keyId);
  if (keyId === undefined || state === undefined) return;
  if (clientId !== undefined && state.clientId !== clientId) return;
  await endApp(control, keyId, state, "revoked_by_client");
}

async function findByAccessToken(control: Control, token: string): Promise<string | undefined> {
  return isKeySecret(token) ? connectedApps.findAppByAccessToken(control.db, hashKeySecret(token)) : undefined;
}

type EndReason = "code_reused" | "refresh_token_reused" | "revoked_by_client";

/** Revokes the key, and with it all tokens. */
async function endApp(control: Control, keyId: string, app: AdvancedApp, reason: EndReason): Promise<void> {
  const { organizationId, memberId, clientName: client } = app;
  const person: Actor = createPersonActor(organizationId, memberId ?? "");
  const actor = memberId === null ? { ...person, keyId, person: undefined } : person;
  const isEnded = await withAuditEntry(
    control,
    actor,
    (inside) => apiKeys.revokeApiKeyIfLive(inside.db, organizationId, keyId),
    (ended) => (ended ? { action: "app.end", target: keyId, details: { client, reason } } : undefined),
  );
  if (isEnded) control.log.warn({ org: organizationId, key: keyId, app: client, reason }, "app.ended");
}
