// Derives methods from routes: their arguments are the ids in the order of the path, the body, the organization, the
// query.

import { type ParametersOf, type ReplyOf, type RequestOf, type Route, type RouteName, routes } from "@dari/contract";
import type { PageQuery } from "./pages.ts";
import type { Call, CallOptions, Query, Transport } from "./transport.ts";

type IdsOf<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name extends "organization_id"
    ? IdsOf<Rest>
    : [id: string, ...IdsOf<Rest>]
  : [];

type BodyOf<Name extends RouteName> = [RequestOf<Name>] extends [never]
  ? []
  : (typeof routes)[Name] extends { readonly bodyOptional: true }
    ? [body?: RequestOf<Name> | undefined]
    : [body: RequestOf<Name>];

type OrganizationOf<Name extends RouteName> =
  ParametersOf<Name> extends { readonly organization_id: string } ? [organizationId?: string | undefined] : [];

/** `never` for a query that is more than a page: such a route has no derived method. */
type PageOf<Name extends RouteName> = (typeof routes)[Name] extends { readonly query: object }
  ? ReplyOf<Name> extends { next: string | null }
    ? [page?: PageQuery | undefined]
    : never
  : [];

export type Derived<Name extends RouteName> = (
  ...args: [
    ...IdsOf<(typeof routes)[Name]["path"]>,
    ...BodyOf<Name>,
    ...OrganizationOf<Name>,
    ...PageOf<Name>,
    options?: CallOptions | undefined,
  ]
) => Promise<ReplyOf<Name>>;

/**
 * Derives methods of JSON routes. The organization defaults to the key's own, an optional body to an empty one. Lists
 * take a page. Routes with other queries have hand-written methods.
 */
export function createDeriver({ call }: Transport) {
  const derived = <Name extends RouteName>(name: Name): Derived<Name> => {
    const route: Route = routes[name];
    const parameters = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, parameter = ""]) => parameter);
    const ids = parameters.filter((parameter) => parameter !== "organization_id");
    return (...given: readonly unknown[]) => {
      const rest = [...given];
      const path: Record<string, unknown> = {};
      for (const id of ids) path[id] = rest.shift();
      const body = route.request === undefined ? undefined : (rest.shift() ?? {});
      if (ids.length < parameters.length) path["organization_id"] = rest.shift() ?? "current";
      const query = route.query === undefined ? undefined : (rest.shift() as Query | undefined);
      const options = rest.shift() as CallOptions | undefined;
      return call(name, { path, query: { ...query }, ...(body !== undefined && { body }), options } as Call<Name>);
    };
  };
  /** The methods of several routes, by name. */
  const derivedAll = <Names extends RouteName>(...names: readonly Names[]) =>
    Object.fromEntries(names.map((name) => [name, derived(name)])) as { [Name in Names]: Derived<Name> };
  return { derived, derivedAll };
}
