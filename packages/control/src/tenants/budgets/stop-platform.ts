// Stops all organizations' turns from starting, until an operator resumes. Running turns end normally.

import type { Deleted, PlatformStop } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { budgets } from "@dari/db";
import { notFound } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { resumeHeldSessions } from "./resume-held-sessions.ts";

const target = "platform";

/** Messages are still accepted, and wait with the reason `paused`. A repeated call replaces the reason. */
export async function stopPlatform(control: Control, actor: Actor, reason: string): Promise<PlatformStop> {
  await withAuditEntry(
    control,
    actor,
    (inside) => budgets.putPlatformStop(inside.db, reason),
    () => ({ action: "platform.stop", target, details: { reason } }),
  );
  return getPlatformStop(control);
}

export async function getPlatformStop(control: Control): Promise<PlatformStop> {
  const stop = await budgets.findPlatformStop(control.db);
  if (stop === undefined) return { stopped: false, reason: null, stopped_at: null };
  return { stopped: true, reason: stop.reason, stopped_at: stop.stoppedAt.toISOString() };
}

/** @throws AppError `not_found` if nothing is stopped. */
export async function resumePlatform(control: Control, actor: Actor): Promise<Deleted> {
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      if (!(await budgets.deletePlatformStop(inside.db))) throw notFound("stop");
    },
    () => ({ action: "platform.resume", target }),
  );
  await resumeHeldSessions(control);
  return { deleted: true };
}
