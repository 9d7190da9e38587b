// Session tokens for tests: made by the API, or signed here with any claims.

import { createHmac } from "node:crypto";
import { routes, validate, type CreateSessionTokenRequest, type SessionTokenCreated } from "@dari/contract";
import { newId } from "@dari/domain";
import { expect } from "@jest/globals";
import type { CallOptions, TestApi, TestReply } from "./api-fixture.ts";

export async function createToken(
  api: TestApi,
  sessionId: string,
  body: CreateSessionTokenRequest = {},
  options: CallOptions = {},
): Promise<SessionTokenCreated> {
  const reply = await api.call("POST", `/v1/sessions/${sessionId}/tokens`, { body, ...options });
  expect([reply.status, validate(routes.createSessionToken.reply, reply.json)]).toEqual([201, []]);
  return reply.json as unknown as SessionTokenCreated;
}

export async function tokenOf(api: TestApi, sessionId: string, body?: CreateSessionTokenRequest): Promise<string> {
  return (await createToken(api, sessionId, body)).token;
}

/** Signs claims as the API does. Claims that are absent are those of a valid token. */
export function signToken(api: TestApi, sessionId: string, claims: Readonly<Record<string, unknown>> = {}): string {
  const { organizationId, keyId } = api.org;
  const all = {
    id: newId("sessionToken"),
    organizationId,
    sessionId,
    generation: 0,
    creatorId: keyId,
    expiresAt: Math.floor(Date.now() / 1_000) + 600,
    scopes: ["send", "read", "answer", "upload", "cancel"],
    ...claims,
  };
  const text = Buffer.from(JSON.stringify(all)).toString("base64url");
  const signature = createHmac("sha256", api.control.urlSigningKey)
    .update(`session-token\0${text}`)
    .digest("base64url");
  return `dtok_${text}.${signature}`;
}

/** Sets the organization's allowed origins. */
export async function allowOrigins(api: TestApi, origins: readonly string[], key = api.org.apiKey): Promise<void> {
  const reply = await api.call("PUT", "/v1/organizations/current/allowed-origins", { body: { origins }, key });
  expect([reply.status, reply.json]).toEqual([200, { origins }]);
}

export function uploadText(api: TestApi, text: string, options: CallOptions): Promise<TestReply> {
  const body = new FormData();
  body.append("file", new Blob([text], { type: "text/plain" }), "notes.txt");
  return api.call("POST", "/v1/files", { body, ...options });
}
