// Limits sign-in attempts. Exact across processes, because the counter is a row.

import type { Control } from "@dari/control/context";
import { signInTries } from "@dari/db";
import { AppError, limits } from "@dari/domain";

const kinds = {
  /** By address: links, and sign-ins at the provider. */
  sign_in: { most: limits.signInTriesPerMinute, windowSeconds: 60 },
  /** By address: command lines that start a sign-in. */
  device: { most: limits.deviceStartsPerMinute, windowSeconds: 60 },
  /** By person: codes that are looked up. */
  user_code: { most: limits.userCodeTriesPerTenMinutes, windowSeconds: 600 },
} as const;
export type SignInTryKind = keyof typeof kinds;

/** Counts an attempt. @throws AppError `limit_exceeded` if there were too many in the current window. */
export async function limitSignInTries(control: Control, kind: SignInTryKind, subject: string): Promise<void> {
  const { most, windowSeconds } = kinds[kind];
  const { used, resetSeconds } = await signInTries.countTry(control.db, { kind, subject, windowSeconds });
  if (used <= most) return;
  const detail = `limit reached: ${most} tries in ${windowSeconds} s; retry in ${resetSeconds} s`;
  throw new AppError("limit_exceeded", detail, { retryAfterSeconds: resetSeconds });
}
