// Deletes a session from its owner's sight; what it stored is swept later.

import type { Deleted } from "@dari/contract";
import { sessions } from "@dari/db";
import type { Actor, Control } from "../context.ts";
import { settleEnding } from "./end-session.ts";

/** `cancel`: cancels what is queued or running. @throws AppError `not_found`, `conflict` */
export async function deleteSession(
  control: Control,
  actor: Actor,
  input: { sessionId: string; cancel: boolean },
): Promise<Deleted> {
  const ending = await sessions.softDeleteSessionIfIdle(control.db, { organizationId: actor.organizationId, ...input });
  settleEnding(control, input.sessionId, ending);
  return { deleted: true, id: input.sessionId };
}
