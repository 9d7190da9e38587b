// Checks where a browser's request comes from. Browsers send cookies with requests of any site, so a request that
// changes something must come from our own pages.

import type { Control } from "@dari/control/context";
import { AppError } from "@dari/domain";
import type { Request } from "express";

/**
 * Requires the headers in which browsers name the origin of a request that changes something.
 * @throws AppError `forbidden`
 */
export function requireSameOrigin(control: Control, request: Request): void {
  if (request.get("origin") === undefined) throw foreign();
  refuseOtherSites(control, request);
}

/**
 * For calls that set a cookie but need none. Programs, which send no origin, are accepted. @throws AppError `forbidden`
 */
export function refuseOtherSites(control: Control, request: Request): void {
  const origin = request.get("origin");
  const site = request.get("sec-fetch-site");
  if (origin !== undefined && !isOwnOrigin(control, request, origin)) throw foreign();
  if (site !== undefined && site !== "same-origin") throw foreign();
}

function foreign(): AppError {
  return new AppError(
    "forbidden",
    "a request with a sign-in cookie must come from the platform's own pages; programs send a key in `Authorization`",
  );
}

function isOwnOrigin(control: Control, request: Request, origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const { host, protocol } = new URL(origin);
  if (protocol !== "http:" && protocol !== "https:") return false;
  return host === request.get("host") || origin === new URL(control.publicUrl).origin;
}
