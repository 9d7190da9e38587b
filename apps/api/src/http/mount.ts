// Mounts the contract's routes: authenticates, validates, calls the handler, renders. Routes are data in the contract.

import { routePaths, routes, tokenScopeOf, type Route, type RouteName } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import {
  checkTokenRoute,
  checkTokenTarget,
  hasCreatedOrganization,
  isOperator,
  requireOperator,
  requireLiveToken,
} from "@dari/control/tenants";
import type { Express, Request, Response } from "express";
import { restrictToOrganization, otherOrganizationInBody } from "./restrict-to-organization.ts";
import { maxBodyBytes, readBody } from "./body.ts";
import { Reply, type Call, type CallSettings, type Creator, type Handlers } from "./call.ts";
import { refuseUnknownMethod } from "./errors.ts";
import { answerCreation, readIdempotencyKey } from "./idempotency.ts";
import { readParams } from "./params.ts";
import { resolveAgentNames } from "./resolve-agents.ts";
import { chargeRate, chargeBody, chargeUpload } from "./charge-rates.ts";
import { requestIdOf } from "./request-id.ts";
import { checkQueryEncoding, namesAgent, readQuery } from "./query.ts";
import { requireScope } from "./require-scope.ts";
import { authenticateCall } from "./authenticate-request.ts";
import { answerPreflight } from "./cross-origin.ts";

export interface MountOptions {
  readonly control: Control;
  readonly handlers: Handlers;
  readonly settings: CallSettings;
  /** Aborts when the server drains. */
  readonly draining: AbortSignal;
}

interface MountedRoute extends MountOptions {
  readonly name: RouteName;
  readonly route: Route;
}

type AnyHandler = (call: Call<never>) => Promise<object | Reply | void>;

/** Mounts each route at each of its paths. Other methods of a known path get a 405. */
export function mountRoutes(app: Express, options: MountOptions): void {
  const methods = new Map<string, string[]>();
  const forTokens = new Map<string, string[]>();
  const mounting: { readonly pattern: string; readonly mount: () => void }[] = [];
  for (const name of Object.keys(routes) as RouteName[]) {
    const route: Route = routes[name];
    const mounted = { ...options, name, route };
    // The table of handlers is typed by name. In this loop, the name can be any of them.
    const handler = toHandler(route, options.handlers[name] as unknown as AnyHandler | Creator<never>);
    for (const path of routePaths(route)) {
      const pattern = path.replace(/\{(\w+)\}/g, ":$1");
      const method = route.method.toLowerCase() as Lowercase<Route["method"]>;
      const mount = (): void => {
        app[method](pattern, (request, response) => handleCall(mounted, handler, request, response));
      };
      if (tokenScopeOf(name) !== undefined) forTokens.set(pattern, [...(forTokens.get(pattern) ?? []), route.method]);
      mounting.push({ pattern, mount });
      methods.set(pattern, [...(methods.get(pattern) ?? []), route.method]);
    }
  }
  // Literal paths go first, with all their methods: `/v1/files/uploads` is not a file with the id `uploads`.
  for (const pattern of [...methods.keys()].sort(compareSpecificity)) {
    for (const { mount } of mounting.filter((one) => one.pattern === pattern)) mount();
    const allowed = forTokens.get(pattern);
    if (allowed !== undefined) app.options(pattern, answerPreflight(allowed));
    app.all(pattern, refuseUnknownMethod(methods.get(pattern) ?? []));
  }
}

/** Sorts a parameter after every literal segment in its place. `~` sorts after all characters of a literal segment. */
function compareSpecificity(left: string, right: string): number {
  const rank = (pattern: string): string => pattern.replace(/:\w+/g, "~");
  return rank(left) < rank(right) ? -1 : 1;
}

function toHandler(route: Route, handler: AnyHandler | Creator<never>): AnyHandler {
  return typeof handler === "function" ? handler : (call) => answerCreation(route, handler, call);
}

/**
 * Handles one call. The caller's rate limit comes before the body is read, so that a refused call costs little. An
 * upload is counted before its bytes are received. Messages are counted after the body is read, which says how many.
 */
async function handleCall(
  mounted: MountedRoute,
  handler: AnyHandler,
  request: Request,
  response: Response,
): Promise<void> {
  const { control, route, draining, settings } = mounted;
  response.locals["route"] = route.path;
  const actor = await authorize(mounted, request, response);
  const idempotencyKey = readIdempotencyKey(route, request);
  let callSignal: AbortSignal | undefined;
  const { fileBytes, exportBytes } = settings;
  const isCrossOrganization = await pathNamesOtherOrganization(control, route, request, actor);
  const restricted = restrictToOrganization(control, route, actor, isCrossOrganization);
  const receiving = { control: restricted, actor: actor ?? unauthenticatedActor, fileBytes, exportBytes };
  const params = readParams(request.params, actor, isCrossOrganization);
  if (actor !== undefined) await checkTokenTarget(restricted, actor, params);
  if (request.originalUrl.includes("?")) checkQueryEncoding(request.originalUrl);
  const query = readQuery(route, request.query);
  const organizationId = params["organization_id"] ?? receiving.actor.organizationId;
  await resolveAgentNames(restricted, organizationId, params, namesAgent(route.query) ? query : undefined);
  if (route.countsAs === "upload") {
    await chargeUpload(control, receiving.actor, maxBodyBytes(route, receiving), request, response);
  }
  const received = await readBody(route, receiving, request, response);
  await chargeBody(control, receiving.actor, route, received, response);
  // An operator's call for another organization that its body names runs without row-level security.
  const other = await otherOrganizationInBody(control, route, actor, received);
  const working = other === undefined ? restricted : control;
  if (route.request !== undefined) await resolveAgentNames(working, other ?? organizationId, received);
  const result = await handler({
    control: working,
    actor: actor ?? unauthenticatedActor,
    params: params as Call<never>["params"],
    query,
    body: received as never,
    idempotencyKey,
    asDeployment: request.path.startsWith("/v1/deployments"),
    get signal() {
      return (callSignal ??= AbortSignal.any([createEndSignal(response, actor), draining]));
    },
    settings,
    request,
    response,
  });
  if (result === undefined) return;
  // The call may have waited for long: a token that was revoked since gets no answer.
  if (actor !== undefined && callSignal !== undefined) await requireLiveToken(control, actor);
  const { status, body } = result instanceof Reply ? result : { status: route.status, body: result };
  response.status(status).json(body);
}

/** Created once: aborting without a reason creates an error with a stack for every request. */
const responseEnded = new Error("the response has ended");

/** Aborts when the client disconnects or has its answer, or its session token expires. */
function createEndSignal(response: Response, actor: Actor | undefined): AbortSignal {
  const controller = new AbortController();
  if (actor?.sessionToken !== undefined) {
    const leftMs = Math.max(0, actor.sessionToken.endsAtMs - performance.now());
    const timer = setTimeout(() => controller.abort(responseEnded), leftMs).unref();
    response.once("close", () => clearTimeout(timer));
  }
  if (response.closed) controller.abort(responseEnded);
  else response.once("close", () => controller.abort(responseEnded));
  return controller.signal;
}

/** The actor of a call that needs no key. It belongs to no organization and has no scope. */
const unauthenticatedActor: Actor = { organizationId: "", keyId: "", scopes: [] };

/**
 * Counts the call and returns its actor, or undefined if the route needs no key.
 * @throws AppError `unauthenticated`, `limit_exceeded`, or `forbidden` with the missing scope.
 */
async function authorize(
  { control, name, route }: MountedRoute,
  request: Request,
  response: Response,
): Promise<Actor | undefined> {
  if (route.scope === null) return undefined;
  const actor = { ...(await authenticateCall(control, request, response)), requestId: requestIdOf(response) };
  response.locals["organizationId"] = actor.organizationId;
  await chargeRate(control, actor, { kind: "requests", amount: 1 }, response);
  checkTokenRoute(actor, name);
  requireScope(actor, route.scope === "operator" ? "admin" : route.scope);
  if (route.scope === "operator") await requireOperator(control, actor);
  return actor;
}

/** Returns whether the path names another organization than the caller's, and the caller is allowed to use it. */
async function pathNamesOtherOrganization(
  control: Control,
  route: Route,
  request: Request,
  actor: Actor | undefined,
): Promise<boolean> {
  const named = request.params["organization_id"];
  if (typeof named !== "string" || actor === undefined) return false;
  if (named === "current" || named === actor.organizationId) return false;
  if (route.allowsCreator === true) return hasCreatedOrganization(control, actor, named);
  return route.allowsOperators === true && isOperator(control, actor);
}
