// Whom tries are counted for: the address that the call comes from, as far as proxies that are said to be there tell.

import type { Request } from "express";
import { networkOf } from "../http/limit-unauthenticated.ts";

export function addressOf(request: Request): string {
  return networkOf(request.ip ?? "");
}
