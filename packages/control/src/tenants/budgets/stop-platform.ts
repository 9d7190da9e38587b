// Lets no turn begin, of any organization, until operators say so. Those that run end as they would.

import type { Deleted, PlatformStop } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { budgets } from "@dari/db";
import { notFound } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { resumeHeldSessions } from "./resume-held-sessions.ts";

const target = "platform";

/** Messages are accepted meanwhile and wait with the reason `paused`. Repeated: the reason is replaced. */
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

/** @throws AppError `not_found` when nothing is stopped. */
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
