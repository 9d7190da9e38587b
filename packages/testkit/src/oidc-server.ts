// An identity provider on loopback with real signatures: discovery, authorization code with PKCE, ID tokens, user info.
// A test sets the user, and can corrupt the provider's answers.

import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface OidcUser {
  readonly sub: string;
  readonly email?: string;
  readonly email_verified?: boolean;
}

/** What is wrong with the answers. */
export type OidcFault =
  "denied" | "wrong_nonce" | "wrong_audience" | "wrong_issuer" | "wrong_key" | "expired" | "other_subject" | "away";

export interface TestOidcServer extends AsyncDisposable {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** The person at the browser. */
  user: OidcUser;
  /** True: only the user info contains the address, as with some providers. */
  emailApart: boolean;
  fault: OidcFault | undefined;
}

interface Grant {
  readonly user: OidcUser;
  readonly query: URLSearchParams;
}

export async function startOidcServer(): Promise<TestOidcServer> {
  const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const stranger = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const state = {
    clientId: "dari",
    clientSecret: randomBytes(16).toString("hex"),
    user: { sub: "1" } as OidcUser,
    emailApart: false,
    fault: undefined as OidcFault | undefined,
    issuer: "",
  };
  const codes = new Map<string, Grant>();
  const tokens = new Map<string, OidcUser>();

  const exchange = (form: URLSearchParams, response: ServerResponse): void => {
    const code = form.get("code") ?? "";
    const grant = codes.get(code);
    codes.delete(code);
    const challenge = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    const isGood =
      grant !== undefined &&
      form.get("client_id") === state.clientId &&
      form.get("client_secret") === state.clientSecret &&
      form.get("redirect_uri") === grant.query.get("redirect_uri") &&
      challenge === grant.query.get("code_challenge");
    if (!isGood) return json(response, 400, { error: "invalid_grant" });
    const accessToken = randomBytes(16).toString("hex");
    tokens.set(accessToken, state.fault === "other_subject" ? { ...grant.user, sub: "another person" } : grant.user);
    const claims = claimsOf(state, grant);
    const key = state.fault === "wrong_key" ? stranger.privateKey : keys.privateKey;
    json(response, 200, { access_token: accessToken, token_type: "bearer", id_token: signToken(claims, key) });
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname, searchParams } = new URL(request.url ?? "/", state.issuer);
    if (state.fault === "away") return void response.writeHead(503).end();
    if (pathname === "/.well-known/openid-configuration") return json(response, 200, metadataOf(state.issuer));
    if (pathname === "/keys") {
      const jwk = { ...keys.publicKey.export({ format: "jwk" }), kid: "1", alg: "RS256", use: "sig" };
      return json(response, 200, { keys: [jwk] });
    }
    if (pathname === "/authorize") return authorize(state, codes, searchParams, response);
    if (pathname === "/token") return exchange(new URLSearchParams(await text(request)), response);
    const user = tokens.get((request.headers.authorization ?? "").replace(/^bearer /i, ""));
    if (pathname === "/userinfo" && user !== undefined) return json(response, 200, user);
    response.writeHead(404).end();
  };

  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  state.issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(state, {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

/** The person at the browser agrees at once. */
function authorize(
  state: { readonly issuer: string; readonly clientId: string; readonly user: OidcUser; readonly fault?: unknown },
  codes: Map<string, Grant>,
  query: URLSearchParams,
  response: ServerResponse,
): void {
  const back = new URL(query.get("redirect_uri") ?? "");
  back.searchParams.set("state", query.get("state") ?? "");
  back.searchParams.set("iss", state.issuer);
  const isWhole = query.get("client_id") === state.clientId && query.get("code_challenge_method") === "S256";
  if (!isWhole || state.fault === "denied") back.searchParams.set("error", "access_denied");
  else {
    const code = randomBytes(16).toString("hex");
    codes.set(code, { user: state.user, query });
    back.searchParams.set("code", code);
  }
  response.writeHead(302, { location: back.href }).end();
}

function claimsOf(
  state: { readonly issuer: string; readonly clientId: string; readonly emailApart: boolean; readonly fault?: unknown },
  { user, query }: Grant,
): object {
  const now = Math.floor(Date.now() / 1_000);
  const { sub, ...rest } = user;
  return {
    ...(state.emailApart ? {} : rest),
    sub,
    iss: state.fault === "wrong_issuer" ? "https://elsewhere.example" : state.issuer,
    aud: state.fault === "wrong_audience" ? "another client" : state.clientId,
    nonce: state.fault === "wrong_nonce" ? "another" : query.get("nonce"),
    iat: state.fault === "expired" ? now - 7_200 : now,
    exp: state.fault === "expired" ? now - 3_600 : now + 300,
  };
}

function metadataOf(issuer: string): object {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    jwks_uri: `${issuer}/keys`,
    response_types_supported: ["code"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["RS256"],
    code_challenge_methods_supported: ["S256"],
    authorization_response_iss_parameter_supported: true,
  };
}

function signToken(claims: object, key: KeyObject): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "RS256", kid: "1" })}.${part(claims)}`;
  return `${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}`;
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
