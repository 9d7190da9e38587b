// Reads the API key of a call.

import type { Request } from "express";

/** Returns the key of an `Authorization: Bearer <key>` header, or undefined if there is none of that form. */
export function readBearerToken(request: Request): string | undefined {
  const [scheme, secret, more] = (request.get("authorization") ?? "").trim().split(/ +/);
  return scheme?.toLowerCase() === "bearer" && more === undefined ? secret : undefined;
}
