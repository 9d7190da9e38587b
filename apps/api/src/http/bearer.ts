// The key that a call shows.

import type { Request } from "express";

/** Undefined when there is no `Authorization`, or one of another form than `Bearer <key>`. */
export function bearerOf(request: Request): string | undefined {
  const [scheme, secret, more] = (request.get("authorization") ?? "").trim().split(/ +/);
  return scheme?.toLowerCase() === "bearer" && more === undefined ? secret : undefined;
}
