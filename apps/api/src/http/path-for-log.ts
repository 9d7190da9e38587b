// The path of a request as log lines show it.

import type { Request } from "express";

/** The end of a trigger's URL is a secret, also in a path that no route has. */
const triggerToken = /^(\/+v1\/+triggers\/+).*/i;

export function pathForLog({ path }: Request): string {
  return path.replace(triggerToken, "$1…");
}
