// Mounts the contract's routes: authenticate, check, call the handler, render. The route table decides, not this file.

import { hasScope, routePaths, routes, type Route, type RouteName } from "@dari/contract";
import { authenticateKey, isOperator, requireOperator, type Actor, type Control } from "@dari/control";
import { AppError } from "@dari/domain";
import type { Express, Request, Response } from "express";
import { bearerOf } from "./bearer.ts";
import { readBody } from "./body.ts";
import { Reply, type Call, type CallSettings, type Creator, type Handlers } from "./call.ts";
import { answerUnknownMethod } from "./errors.ts";
import { answerCreation, readIdempotencyKey } from "./idempotency.ts";
import { readParams } from "./params.ts";
import { requestIdOf } from "./request-id.ts";
import { readQuery } from "./query.ts";

export interface MountOptions {
  readonly control: Control;
  readonly handlers: Handlers;
  readonly settings: CallSettings;
  /** Aborts when the server drains. */
  readonly draining: AbortSignal;
}

type AnyHandler = (call: Call<never>) => Promise<object | Reply | void>;

/** Every route at each of its paths; a known path's other methods answer 405. */
export function mountRoutes(app: Express, options: MountOptions): void {
  const methods = new Map<string, string[]>();
  for (const name of Object.keys(routes) as RouteName[]) {
    const route: Route = routes[name];
    // The table of handlers is typed by name; inside the loop the name is any of them.
    const handler = toHandler(route, options.handlers[name] as unknown as AnyHandler | Creator<never>);
    for (const path of routePaths(route)) {
      const pattern = path.replace(/\{(\w+)\}/g, ":$1");
      const method = route.method.toLowerCase() as Lowercase<Route["method"]>;
      app[method](pattern, (request, response) => answer(options, route, handler, request, response));
      methods.set(pattern, [...(methods.get(pattern) ?? []), route.method]);
    }
  }
  // After all routes, so that a pattern with a parameter hides no path that is spelled out.
  for (const [pattern, allowed] of methods) app.all(pattern, answerUnknownMethod(allowed));
}

function toHandler(route: Route, handler: AnyHandler | Creator<never>): AnyHandler {
  return typeof handler === "function" ? handler : (call) => answerCreation(route, handler, call);
}

async function answer(
  options: MountOptions,
  route: Route,
  handler: AnyHandler,
  request: Request,
  response: Response,
): Promise<void> {
  const { control } = options;
  response.locals["route"] = route.path;
  const actor = await authorize(control, route, request, requestIdOf(response));
  response.locals["organizationId"] = actor?.organizationId;
  const idempotencyKey = readIdempotencyKey(route, request);
  let leaving: AbortSignal | undefined;
  const { fileBytes, exportBytes } = options.settings;
  const receiving = { control, actor: actor ?? nobody, fileBytes, exportBytes };
  const result = await handler({
    control,
    actor: actor ?? nobody,
    params: readParams(
      request.params,
      actor,
      await reachesAll(control, route, request, actor),
    ) as Call<never>["params"],
    query: readQuery(route, request.query),
    body: (await readBody(route, receiving, request, response)) as never,
    idempotencyKey,
    asDeployment: request.path.startsWith("/v1/deployments"),
    get signal() {
      return (leaving ??= AbortSignal.any([goneSignal(response), options.draining]));
    },
    settings: options.settings,
    request,
    response,
  });
  if (result === undefined) return;
  const { status, body } = result instanceof Reply ? result : { status: route.status, body: result };
  response.status(status).json(body);
}

/** Made once: an abort without a reason makes an error with a stack, for every request. */
const gone = new Error("the response has ended");

/** Aborts when the client goes away, or has its answer. */
function goneSignal(response: Response): AbortSignal {
  const controller = new AbortController();
  if (response.closed) controller.abort(gone);
  else response.once("close", () => controller.abort(gone));
  return controller.signal;
}

const nobody: Actor = { organizationId: "", keyId: "", scopes: [] };

/** @throws AppError `unauthenticated`, `forbidden` with the scope that is missing. */
async function authorize(
  control: Control,
  route: Route,
  request: Request,
  requestId: string,
): Promise<Actor | undefined> {
  if (route.scope === null) return undefined;
  const actor = { ...(await authenticateKey(control, bearerOf(request))), requestId };
  const scope = route.scope === "operator" ? "admin" : route.scope;
  if (!hasScope(actor.scopes, scope)) throw new AppError("forbidden", `the API key lacks the scope '${scope}'`);
  if (route.scope === "operator") await requireOperator(control, actor);
  return actor;
}

/** Whether the caller may name another organization than its own in the path of this route. */
async function reachesAll(
  control: Control,
  route: Route,
  request: Request,
  actor: Actor | undefined,
): Promise<boolean> {
  const named = request.params["organization_id"];
  if (route.operatorsToo !== true || actor === undefined) return false;
  return named !== "current" && named !== actor.organizationId && isOperator(control, actor);
}
