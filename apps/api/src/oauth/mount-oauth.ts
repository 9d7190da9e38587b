// OAuth's endpoints for MCP clients: metadata, registration, tokens, revocation, and the way to the page on which a
// person decides. Pages of every origin can call them: they use no cookie, and each reply is for the caller only.

import { appRequestParameters } from "@dari/contract";
import type { Control } from "@dari/control/context";
import {
  grantAppTokens,
  isProblem,
  registerClient,
  requireApps,
  revokeAppToken,
  type OAuthProblem,
} from "@dari/control/tenants";
import { AppError, connectedAppLimits, invalidField } from "@dari/domain";
import express, { type Express, type NextFunction, type Request, type RequestHandler, type Response } from "express";
import { readBearerToken } from "../http/bearer.ts";
import { refuseUnknownMethod } from "../http/errors.ts";
import { countPublicCall, countUnauthenticatedCall, createBuckets } from "../http/limit-unauthenticated.ts";
import { challengeHeader, resourceMetadataPath } from "./challenge.ts";
import { resourceMetadata, serverMetadata } from "./metadata.ts";

const parseJson = express.json({ limit: connectedAppLimits.bodyBytes, type: () => true });
const parseForm = express.urlencoded({
  limit: connectedAppLimits.bodyBytes,
  type: "application/x-www-form-urlencoded",
  extended: false,
  parameterLimit: 50,
});

/** Mount it before the routes: a 401 at /mcp gets its challenge here, whatever refuses the call. */
export function mountOAuth(app: Express, control: Control): void {
  app.use("/mcp", (request, response, next) => {
    const error = readBearerToken(request) === undefined ? undefined : "invalid_token";
    response.locals["challenge"] = challengeHeader(control, error);
    next();
  });
  const describeResource: RequestHandler = (_request, response) => void response.json(resourceMetadata(control));
  const describeServer: RequestHandler = (_request, response) => void response.json(serverMetadata(control));
  const mount = (method: "get" | "post", path: string, ...handlers: readonly RequestHandler[]): void => {
    const allowed = method.toUpperCase();
    app.options(path, answerPreflight(allowed));
    app[method](path, begin(control, path), ...handlers);
    app.all(path, refuseUnknownMethod([allowed]));
  };
  mount("get", "/.well-known/oauth-protected-resource", describeResource);
  mount("get", resourceMetadataPath, describeResource);
  mount("get", "/.well-known/oauth-authorization-server", describeServer);
  mount("get", "/oauth/authorize", showPage);
  mount("post", "/oauth/register", parseJson, (request, response) => register(control, request, response));
  const countRequest = limitApps();
  mount("post", "/oauth/token", parseForm, (request, response) => grant(control, countRequest, request, response));
  mount("post", "/oauth/revoke", parseForm, (request, response) => revoke(control, request, response));
}

/** `mcp-protocol-version` is what MCP clients send with every request. */
function answerPreflight(method: string): RequestHandler {
  return (_request, response) => {
    response.status(204).set({
      "access-control-allow-origin": "*",
      "access-control-allow-methods": method,
      "access-control-allow-headers": "authorization, content-type, mcp-protocol-version",
      "access-control-max-age": "7200",
    });
    response.end();
  };
}

/** @throws AppError `not_found` with the reason, if apps cannot connect to this platform. */
function begin(control: Control, path: string): RequestHandler {
  return (_request: Request, response: Response, next: NextFunction): void => {
    response.locals["route"] = path;
    response.set("access-control-allow-origin", "*");
    requireApps(control);
    next();
  };
}

/**
 * Leads to the console, whose page checks the request with the cookie of the signed-in person. This route leads nowhere
 * else, whatever the request says.
 */
function showPage({ query }: Request, response: Response): void {
  const shown = new URLSearchParams();
  for (const name of appRequestParameters) {
    const value = query[name];
    if (typeof value === "string") shown.set(name, value);
    else if (value !== undefined) throw invalidField(name, "expected it once");
  }
  response.set("referrer-policy", "no-referrer").redirect(303, `/console/authorize?${shown.toString()}`);
}

function register(control: Control, request: Request, response: Response): void {
  countPublicCall(response);
  const client = registerClient(control, request.body);
  if (isProblem(client)) return refuse(response, client);
  response.status(201).json({
    client_id: client.id,
    client_id_issued_at: Math.floor(Date.now() / 1_000),
    client_name: client.name,
    redirect_uris: client.redirectUris,
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  });
}

/** Limits the requests with one app's codes and tokens: a holder of one could otherwise keep the database busy. */
function limitApps(): (subject: string) => void {
  const most = connectedAppLimits.tokenRequestsPerMinute;
  const buckets = createBuckets(most);
  return (subject) => {
    const retryAfterSeconds = buckets.countCall(subject);
    if (retryAfterSeconds === undefined) return;
    throw new AppError("limit_exceeded", `limit reached: ${most} token requests of one app per minute`, {
      retryAfterSeconds,
    });
  };
}

/** Counts only refused requests: clients of one address share its limit, and a valid token must work in any case. */
async function grant(
  control: Control,
  countRequest: (subject: string) => void,
  request: Request,
  response: Response,
): Promise<void> {
  const parameters = readForm(request);
  const tokens = isProblem(parameters) ? parameters : await grantAppTokens(control, parameters, countRequest);
  if (isProblem(tokens)) return refuseAndCount(response, tokens);
  response.set("pragma", "no-cache").json({
    access_token: tokens.accessToken,
    token_type: "Bearer",
    expires_in: tokens.seconds,
    refresh_token: tokens.refreshToken,
    scope: tokens.scopes.join(" "),
  });
}

/** Answers alike whether the token exists or not (RFC 7009, section 2.2). */
async function revoke(control: Control, request: Request, response: Response): Promise<void> {
  countPublicCall(response);
  const parameters = readForm(request);
  if (isProblem(parameters)) return refuse(response, parameters);
  const { token, client_id: clientId } = parameters;
  if (token === undefined) return refuse(response, { error: "invalid_request", description: "expected token" });
  await revokeAppToken(control, token, clientId);
  response.status(200).json({});
}

/** Returns the parameters of a form. No parameter may be repeated (RFC 6749, section 3.2). */
function readForm({ body }: Request): Readonly<Record<string, string>> | OAuthProblem {
  const description = "expected a form (application/x-www-form-urlencoded) with each parameter once";
  const entries = Object.entries((body ?? {}) as Readonly<Record<string, unknown>>);
  // PostgreSQL cannot compare text with a NUL.
  const isForm = entries.length > 0 && entries.every(([, value]) => typeof value === "string" && !value.includes("\0"));
  // A parameter without a value counts as absent.
  return isForm
    ? (Object.fromEntries(entries.filter(([, value]) => value !== "")) as Record<string, string>)
    : { error: "invalid_request", description };
}

/** @throws AppError `limit_exceeded` if the address has sent too many wrong requests. */
function refuseAndCount(response: Response, problem: OAuthProblem): void {
  const error = countUnauthenticatedCall(response);
  if (error !== undefined) throw error;
  refuse(response, problem);
}

/** Sends an error in the form of OAuth, which is the one that its clients read. */
function refuse(response: Response, { error, description }: OAuthProblem): void {
  response.status(error === "invalid_client" ? 401 : 400).json({ error, error_description: description });
}
