// Replaces a session's metadata.

import type { Metadata, SessionRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { sessions } from "@dari/db";
import { notFound } from "@dari/domain";
import { getSession } from "./get-session.ts";

/** @throws AppError `not_found` */
export async function replaceSessionMetadata(
  control: Control,
  actor: Actor,
  { sessionId, metadata }: { readonly sessionId: string; readonly metadata: Metadata },
): Promise<SessionRecord> {
  const of = { organizationId: actor.organizationId, sessionId, metadata };
  if (!(await sessions.replaceMetadata(control.db, of))) throw notFound("session");
  return getSession(control, actor, sessionId);
}
