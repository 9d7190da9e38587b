// Completes a session. Its record, files and events stay, but the session accepts no more messages.

import type { SessionRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { sessions } from "@dari/db";
import { handleSessionEnding } from "./handle-session-ending.ts";
import { getSession } from "./get-session.ts";

/** Completes a session. `cancel`: cancels queued and running messages. @throws AppError `not_found`, `conflict` */
export async function completeSession(
  control: Control,
  actor: Actor,
  input: { sessionId: string; cancel: boolean },
): Promise<SessionRecord> {
  const ending = await sessions.completeSessionIfOpen(control.db, { organizationId: actor.organizationId, ...input });
  handleSessionEnding(control, input.sessionId, ending);
  return getSession(control, actor, input.sessionId);
}
