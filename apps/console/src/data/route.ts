// The current route: the path below /console and its query. Knows no page.

import { useSyncExternalStore } from "react";

const base = "/console";
const moved = new EventTarget();

export interface Route {
  /** The parts of the path: `["sessions", "sess_…"]`. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

/** Returns the address of a place in the console, such as `/sessions?status=idle`. */
export function hrefOf(place: string): string {
  return `${base}${place}`;
}

/** Goes to a place. `replace` adds no step to the browser's history. */
export function goTo(place: string, { replace = false }: { readonly replace?: boolean } = {}): void {
  if (replace) history.replaceState(history.state, "", hrefOf(place));
  else history.pushState(Date.now(), "", hrefOf(place));
  moved.dispatchEvent(new Event("move"));
  if (!replace) scrollTo(0, 0);
}

/** Identifies a step of the browser's history. Going back gives the same one again. */
export function currentStep(): string {
  return String(history.state);
}

/** Changes one parameter of the query, without a step in the history. An empty value removes it. */
export function changeQuery(place: string, query: URLSearchParams, name: string, value: string): void {
  const next = new URLSearchParams(query);
  if (value === "") next.delete(name);
  else next.set(name, value);
  goTo(`${place}${next.size === 0 ? "" : `?${next.toString()}`}`, { replace: true });
}

/** Returns the route of an address. */
export function readRoute(address: string): Route {
  const [pathname = "", search = ""] = address.split("?", 2);
  const below = pathname.startsWith(base) ? pathname.slice(base.length) : pathname;
  return { path: below.split("/").filter(Boolean).map(decode), query: new URLSearchParams(search) };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Returns the current route. The component is drawn again when it changes. */
export function useRoute(): Route {
  return readRoute(useSyncExternalStore(subscribe, () => location.pathname + location.search));
}

function subscribe(listener: () => void): () => void {
  addEventListener("popstate", listener);
  moved.addEventListener("move", listener);
  return () => {
    removeEventListener("popstate", listener);
    moved.removeEventListener("move", listener);
  };
}
