// What a route accepts and refuses, as data.

/** Valid bodies, so that only the foreign id is wrong; and invalid ones, with a field each must name. */
export interface RouteCase {
  readonly valid?: unknown;
  readonly invalid?: readonly (readonly [body: unknown, path: string])[];
}
