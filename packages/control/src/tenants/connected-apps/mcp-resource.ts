// What the tokens of connected apps are for (RFC 8707): this platform's /mcp, and nothing else.

import type { Control } from "@dari/control/context";
import { AppError, isLoopbackHost } from "@dari/domain";

export type PublicControl = Pick<Control, "publicUrl">;

/** Returns the URL of /mcp as metadata and tokens name it. */
export function mcpResource({ publicUrl }: PublicControl): string {
  return `${publicUrl}/mcp`;
}

/** Returns whether tokens for `resource` can be used here. Without it, they are for the only resource there is. */
export function isOwnResource(control: PublicControl, resource: string | undefined): boolean {
  if (resource === undefined || resource === "") return true;
  if (!URL.canParse(resource) || resource.includes("#")) return false;
  // The parser puts scheme and host in lower case, as the specification asks for. A query only chooses agents.
  const { origin, pathname } = new URL(resource);
  return origin === new URL(control.publicUrl).origin && ["/", "/mcp", "/mcp/"].includes(pathname);
}

/** Returns why apps cannot connect by OAuth, or undefined if they can. Tokens need an encrypted connection. */
export function whyNoApps({ publicUrl }: PublicControl): string | undefined {
  // Without the setting, the URL is made of the address that the API listens on.
  if (!URL.canParse(publicUrl)) return `${publicUrl} is not a URL; set DARI_PUBLIC_URL, or use an API key`;
  const { protocol, hostname, pathname } = new URL(publicUrl);
  if (pathname !== "/") {
    return `the public URL ${publicUrl} has a path, and the console needs a host of its own; use an API key`;
  }
  if (protocol === "https:" || isLoopbackHost(hostname)) return undefined;
  return `the public URL ${publicUrl} is not encrypted; set DARI_PUBLIC_URL to an https:// URL, or use an API key`;
}

/** @throws AppError `not_found` with the reason, if apps cannot connect by OAuth. */
export function requireApps(control: PublicControl): void {
  const reason = whyNoApps(control);
  if (reason !== undefined) throw new AppError("not_found", `apps cannot connect by OAuth: ${reason}`);
}
