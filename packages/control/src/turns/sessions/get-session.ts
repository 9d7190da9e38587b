// Reads a session.

import type { SessionRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { sessions } from "@dari/db";
import { requireFound } from "@dari/domain";
import { renderSession } from "../views/session.ts";

/** Returns a session. @throws AppError `not_found` */
export async function getSession(control: Control, actor: Actor, sessionId: string): Promise<SessionRecord> {
  return renderSession(
    requireFound(await sessions.findSession(control.db, actor.organizationId, sessionId), "session"),
  );
}
