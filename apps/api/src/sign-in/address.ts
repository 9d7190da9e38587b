// The address that sign-in attempts are counted for: where the call comes from, according to the trusted proxies.

import type { Request } from "express";
import { networkOf } from "../http/limit-unauthenticated.ts";

export function addressOf(request: Request): string {
  return networkOf(request.ip ?? "");
}
