// The address that sign-in attempts are counted for: where the call comes from, according to the trusted proxies.

import type { Request } from "express";
import { addressPrefix } from "../http/limit-unauthenticated.ts";

export function getClientPrefix(request: Request): string {
  return addressPrefix(request.ip ?? "");
}
