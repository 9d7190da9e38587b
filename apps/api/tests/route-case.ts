// What a route takes and refuses, as data.

/** Bodies that pass, so that only the foreign id is wrong; and those that do not, with a field each must name. */
export interface RouteCase {
  readonly valid?: unknown;
  readonly invalid?: readonly (readonly [body: unknown, path: string])[];
}
