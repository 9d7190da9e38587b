// An MCP client for tests, which registers, asks a person, and exchanges what it gets.

import { createHash, randomBytes } from "node:crypto";
import { routes, validate } from "@dari/contract";
import { createTestMember, createTestOrganization, signInTestMember } from "@dari/testkit";
import { expect } from "@jest/globals";
import type { TestApi, TestReply } from "./api-fixture.ts";

export interface Person {
  readonly organizationId: string;
  readonly memberId: string;
  readonly cookie: string;
}

export async function createPerson(
  api: TestApi,
  role: "owner" | "admin" | "member" = "member",
  organizationId?: string,
): Promise<Person> {
  const org = organizationId ?? (await createTestOrganization(api.db)).organizationId;
  const { memberId } = await createTestMember(api.db, org, role);
  const { cookie } = await signInTestMember(api.db, org, memberId);
  return { organizationId: org, memberId, cookie };
}

export const redirectUri = "http://127.0.0.1:33418/callback";

export type Parameters = Readonly<Record<string, string>>;

/** Calls as a browser of the platform's own pages. */
export function browse(api: TestApi, cookie: string, method: string, path: string, body?: unknown): Promise<TestReply> {
  return api.call(method, path, { key: null, body, headers: { cookie, origin: api.url } });
}

export function postForm(api: TestApi, path: string, form: Parameters | string): Promise<TestReply> {
  const body = typeof form === "string" ? form : new URLSearchParams(form).toString();
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  return api.call("POST", path, { key: null, body, headers });
}

export async function registerClient(api: TestApi, metadata: object = {}): Promise<string> {
  const body = { client_name: "Test client", redirect_uris: [redirectUri], ...metadata };
  const reply = await api.call("POST", "/oauth/register", { key: null, body });
  expect([reply.status, reply.json["token_endpoint_auth_method"]]).toEqual([201, "none"]);
  return String(reply.json["client_id"]);
}

export interface Attempt {
  readonly clientId: string;
  readonly verifier: string;
  /** The parameters of the authorization request. */
  readonly request: Parameters;
}

export async function createAttempt(api: TestApi, more: Parameters = {}, metadata: object = {}): Promise<Attempt> {
  const clientId = await registerClient(api, metadata);
  const verifier = randomBytes(32).toString("base64url");
  const request = {
    client_id: clientId,
    redirect_uri: redirectUri,
    response_type: "code",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    scope: "run read",
    resource: `${api.url}/mcp`,
    state: "a state",
    ...more,
  };
  return { clientId, verifier, request };
}

export function ask(api: TestApi, cookie: string, request: Parameters): Promise<TestReply> {
  return browse(api, cookie, "GET", `/v1/me/app-authorization?${new URLSearchParams(request).toString()}`);
}

/** Decides as the person that the browser is signed in as. */
export async function decide(
  api: TestApi,
  cookie: string,
  request: Parameters,
  decision: "approve" | "deny" = "approve",
): Promise<TestReply> {
  const shown = await shownTo(api, cookie);
  return browse(api, cookie, "POST", "/v1/me/app-authorization", { decision, ...shown, ...request });
}

/** Returns what the page sends about the person to whom it shows the request. */
export async function shownTo(api: TestApi, cookie: string): Promise<object> {
  const { json } = await browse(api, cookie, "GET", "/v1/me");
  const { organization, member } = json as { organization?: { id: string }; member?: { id: string } | null };
  return { organization_id: organization?.id, ...(member && { member_id: member.id }) };
}

/** Returns the parameters with which the browser goes back to the client. */
export function answerOf(reply: TestReply): URLSearchParams {
  expect([reply.status, validate(routes.decideAppAuthorization.reply, reply.json)]).toEqual([200, []]);
  return new URL(String(reply.json["redirect_to"])).searchParams;
}

export async function approve(api: TestApi, cookie: string, { request }: Attempt): Promise<string> {
  return String(answerOf(await decide(api, cookie, request)).get("code"));
}

export function exchange(
  api: TestApi,
  { clientId, verifier, request }: Attempt,
  code: string,
  more: Parameters = {},
): Promise<TestReply> {
  return postForm(api, "/oauth/token", {
    grant_type: "authorization_code",
    code,
    client_id: clientId,
    redirect_uri: request["redirect_uri"] ?? "",
    code_verifier: verifier,
    resource: `${api.url}/mcp`,
    ...more,
  });
}

export function refresh(api: TestApi, clientId: string, token: string, more: Parameters = {}): Promise<TestReply> {
  return postForm(api, "/oauth/token", {
    grant_type: "refresh_token",
    refresh_token: token,
    client_id: clientId,
    ...more,
  });
}

export interface Tokens {
  readonly access: string;
  readonly refresh: string;
}

export function tokensOf(reply: TestReply): Tokens {
  expect([reply.status, reply.json["token_type"]]).toEqual([200, "Bearer"]);
  return { access: String(reply.json["access_token"]), refresh: String(reply.json["refresh_token"]) };
}

export interface ConnectedClient extends Attempt, Tokens {
  readonly code: string;
}

export async function connect(api: TestApi, cookie: string, more: Parameters = {}): Promise<ConnectedClient> {
  const attempt = await createAttempt(api, more);
  const code = await approve(api, cookie, attempt);
  return { ...attempt, code, ...tokensOf(await exchange(api, attempt, code)) };
}

/** Returns whether the platform still accepts the token, which it then refuses to use outside of /mcp. */
export async function isAccepted(api: TestApi, token: string): Promise<boolean> {
  const { status, json } = await api.call("GET", "/v1/me", { key: token });
  expect([status, json.code]).toEqual(status === 403 ? [403, "forbidden"] : [401, "unauthenticated"]);
  return status === 403;
}
