// Calls a route of the contract inside another call. The checks and limits are those of the route, except the limit of
// requests: the outer call is the request.

import { routes, type ReplyOf, type Route, type RouteName } from "@dari/contract";
import { readJsonValue } from "./body.ts";
import { Reply, type Call, type Creator, type Handler } from "./call.ts";
import { chargeBody } from "./charge-rates.ts";
import { answerCreation } from "./idempotency.ts";
import { readParams } from "./params.ts";
import { namesAgent, readQuery } from "./query.ts";
import { requireScope } from "./require-scope.ts";
import { resolveAgentNames } from "./resolve-agents.ts";

/** The call that another one is made in. */
export type OuterCall = Omit<Call, "params" | "body">;

/** What a client would send. */
export interface InnerRequest {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/**
 * Returns the route's JSON reply. The outer call must be one of the caller's own organization.
 * @throws AppError as the route does.
 */
export async function callRoute<Name extends RouteName>(
  outer: OuterCall,
  name: Name,
  handler: Handler<Name> | Creator<Name>,
  sent: InnerRequest,
): Promise<ReplyOf<Name>> {
  const call = await readInnerCall(outer, name, sent);
  const answer = handler as unknown as Handler<never> | Creator<never>;
  const reply = await (typeof answer === "function" ? answer(call) : answerCreation(routes[name], answer, call));
  return (reply instanceof Reply ? reply.body : reply) as ReplyOf<Name>;
}

/** Checks and counts an inner call without making it. @throws AppError as the route does, before its handler. */
export async function readInnerCall(outer: OuterCall, name: RouteName, sent: InnerRequest): Promise<Call<never>> {
  const route: Route = routes[name];
  const { control, actor, response } = outer;
  // These routes reach beyond the caller's organization, or authorize by other means.
  if (route.scope === null || route.scope === "operator") throw new Error(`${name} cannot be called inside a call`);
  requireScope(actor, route.scope);
  const params = readParams(sent.params ?? {}, actor, false);
  const query = readQuery(route, sent.query ?? {});
  await resolveAgentNames(control, actor.organizationId, params, namesAgent(route.query) ? query : undefined);
  const body = route.request === undefined ? undefined : readJsonValue(route.request, sent.body);
  await chargeBody(control, actor, route, body, response);
  if (route.request !== undefined) await resolveAgentNames(control, actor.organizationId, body);
  return { ...outer, params, query, body, idempotencyKey: undefined, asDeployment: false } as unknown as Call<never>;
}
