// The result of one check of the installation.

import type { HealthCheck } from "@dari/contract";

export type Verdict = Omit<HealthCheck, "name">;

export function fine(found: string): Verdict {
  return { ok: true, found, what_to_do: null };
}

export function fault(found: string, whatToDo: string): Verdict {
  return { ok: false, found, what_to_do: whatToDo };
}
