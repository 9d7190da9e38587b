// What a 401 tells a client about signing in.

import type { Request } from "express";

/** Returns the `WWW-Authenticate` header of a call without a valid key. */
export function challengeOf(_request: Request): string {
  return "Bearer";
}
