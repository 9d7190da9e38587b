// Where a client may have a browser sent with an authorization code: https, this computer, and apps that are listed
// here. PKCE protects a code whose redirect another program catches.

import type { RedirectKind } from "@dari/contract";
import { connectedAppLimits, isLoopbackHost } from "@dari/domain";

/** Redirects to installed apps, compared as whole text. Any program can register a scheme, so no scheme is accepted. */
const appRedirects: ReadonlySet<string> = new Set(["cursor://anysphere.cursor-mcp/oauth/callback"]);

/** Visible ASCII without a fragment or a backslash, and without what no URI contains. */
const uriPattern = /^[^\x00-\x20\x7f-\uffff#\\"<>^`{|}]+$/;

/** Returns whether a client may register the URI. */
export function isRedirectUri(uri: string): boolean {
  if (uri.length > connectedAppLimits.redirectUriChars || !uriPattern.test(uri)) return false;
  if (appRedirects.has(uri)) return true;
  // The parser would also take a host without the slashes.
  if (!/^https?:\/\/[^/]/.test(uri) || !URL.canParse(uri)) return false;
  const url = new URL(uri);
  if (url.username !== "" || url.password !== "") return false;
  return url.protocol === "https:" || isLoopback(url);
}

function isLoopback({ protocol, hostname }: URL): boolean {
  return protocol === "http:" && isLoopbackHost(hostname);
}

/** Returns whether a request may use the URI: it equals a registered one, or differs in the port of this computer. */
export function isRegistered(registered: readonly string[], uri: string): boolean {
  if (!isRedirectUri(uri)) return false;
  return registered.some(
    (one) => one === uri || (isLocal(one) && isLocal(uri) && withoutPort(one) === withoutPort(uri)),
  );
}

function isLocal(uri: string): boolean {
  return isLoopback(new URL(uri));
}

/** A program on this computer gets a free port each time it starts (RFC 8252, section 7.3). */
function withoutPort(uri: string): string {
  const url = new URL(uri);
  url.port = "";
  return url.href;
}

/** Returns what a person sees of the URI. Its host is the only part that proves something about the client. */
export function describeRedirect(uri: string): { readonly host: string; readonly kind: RedirectKind } {
  const url = new URL(uri);
  if (appRedirects.has(uri)) return { host: `${url.protocol}//${url.host}`, kind: "this_computer" };
  return { host: url.host, kind: isLoopbackHost(url.hostname) ? "this_computer" : "website" };
}

/** Returns the URI with parameters after those that it has. */
export function addParameters(uri: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return `${uri}${uri.includes("?") ? "&" : "?"}${new URLSearchParams(given).toString()}`;
}
