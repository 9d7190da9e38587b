// Decides which calls run behind row-level security: all that a key makes, except those that reach beyond its own
// organization by their nature.

import { routes, type Route, type RouteName } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { isOperator } from "@dari/control/tenants";

/** These read rows that have no organization yet, or rows of organizations that the caller's key created. */
export const routesAcrossOrganizations: readonly RouteName[] = [
  "bootstrap",
  "listOrganizations",
  "createOrganization",
  "getDeviceRequest",
  "decideDeviceRequest",
];

const across: ReadonlySet<Route> = new Set(routesAcrossOrganizations.map((name) => routes[name]));

/**
 * Returns what a call works with. Its queries see only its organization's rows. Calls without a key, and operators'
 * calls that reach beyond their own organization (`isCrossOrganization`), see everything and authorize by other means.
 */
export function restrictToOrganization(
  control: Control,
  route: Route,
  actor: Actor | undefined,
  isCrossOrganization: boolean,
): Control {
  if (actor === undefined || isCrossOrganization || route.scope === "operator" || across.has(route)) return control;
  const db = control.db.forOrganization(actor.organizationId);
  return { ...control, db, trees: control.trees.readBy(db) };
}

/** Returns the other organization (or `all`) that the body names, if the caller is allowed to. */
export async function otherOrganizationInBody(
  control: Control,
  route: Route,
  actor: Actor | undefined,
  body: unknown,
): Promise<string | undefined> {
  if (route !== routes.retryMessages || actor === undefined) return undefined;
  const named = (body as { readonly filter: { readonly organization_id?: string } }).filter.organization_id;
  if (named === undefined || named === actor.organizationId) return undefined;
  return (await isOperator(control, actor)) ? named : undefined;
}
