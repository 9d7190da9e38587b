// How often somebody may try to sign in. Exact across processes: the count is a row.

import type { Control } from "@dari/control/context";
import { signInTries } from "@dari/db";
import { AppError, limits } from "@dari/domain";

const kinds = {
  /** By address: links, and ways to the provider and back. */
  sign_in: { most: limits.signInTriesPerMinute, windowSeconds: 60 },
  /** By address: command lines that begin to wait. */
  device: { most: limits.deviceStartsPerMinute, windowSeconds: 60 },
  /** By person: codes that are looked up. */
  user_code: { most: limits.userCodeTriesPerTenMinutes, windowSeconds: 600 },
} as const;
export type TryKind = keyof typeof kinds;

/** Counts a try. @throws AppError `limit_exceeded` when there were too many in the window that runs. */
export async function limitTries(control: Control, kind: TryKind, subject: string): Promise<void> {
  const { most, windowSeconds } = kinds[kind];
  const { used, resetSeconds } = await signInTries.countTry(control.db, { kind, subject, windowSeconds });
  if (used <= most) return;
  const detail = `limit reached: ${most} tries in ${windowSeconds} s; retry in ${resetSeconds} s`;
  throw new AppError("limit_exceeded", detail, { retryAfterSeconds: resetSeconds });
}
