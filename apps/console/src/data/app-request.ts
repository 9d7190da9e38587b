// The request of an app that a person decides: in the page's address, and in the tab's storage while the browser is at
// the identity provider, whose way back is too short for it.

import { appRequestParameters, type AppAuthorizationQuery } from "@dari/contract";
import { hrefOf } from "./route.ts";

const storageKey = "dari.app-request";
const place = hrefOf("/authorize");

/** Returns the request in the address, or undefined if there is none. */
export function readAppRequest(query: URLSearchParams): AppAuthorizationQuery | undefined {
  const given = appRequestParameters.flatMap((name) => (query.has(name) ? [[name, query.get(name)] as const] : []));
  const request = Object.fromEntries(given) as Partial<AppAuthorizationQuery>;
  const { client_id, redirect_uri } = request;
  return client_id === undefined || redirect_uri === undefined ? undefined : { ...request, client_id, redirect_uri };
}

/** Returns whether the browser is at the page with a request. */
export function isAppRequest(): boolean {
  return location.pathname === place && location.search !== "";
}

/** Keeps the request before the browser leaves for the identity provider. */
export function keepAppRequest(): void {
  if (!isAppRequest()) return;
  const query = new URLSearchParams(location.search);
  query.delete("problem");
  sessionStorage.setItem(storageKey, query.toString());
}

/** Puts a kept request back into the address, when the browser returns without it: signed in, or refused. */
export function restoreAppRequest(): void {
  const problem = new URLSearchParams(location.search).get("problem");
  if (problem === null && (location.pathname !== place || location.search !== "")) return;
  const kept = sessionStorage.getItem(storageKey);
  if (kept === null) return;
  sessionStorage.removeItem(storageKey);
  const query = new URLSearchParams(kept);
  // The sign-in page says what it was.
  if (problem !== null) query.set("problem", problem);
  history.replaceState(history.state, "", `${place}?${query.toString()}`);
}
