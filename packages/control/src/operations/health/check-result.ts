// The result of one check of the installation.

import type { HealthCheck } from "@dari/contract";

export type CheckResult = Omit<HealthCheck, "name">;

export function passedCheck(found: string): CheckResult {
  return { ok: true, found, what_to_do: null };
}

export function failedCheck(found: string, whatToDo: string): CheckResult {
  return { ok: false, found, what_to_do: whatToDo };
}
