// Deletes a session. Clients no longer see it. Its stored data is deleted later.

import type { Deleted } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { withAuditEntry } from "@dari/control/tenants";
import { sessions } from "@dari/db";
import { handleSessionEnding } from "./handle-session-ending.ts";

/**
 * Deletes a session. `cancel`: cancels queued and running messages. `onlyMessageId`: refuses if the session has another
 * message of its own.
 * @throws AppError `not_found`, `conflict`
 */
export async function deleteSession(
  control: Control,
  actor: Actor,
  input: { readonly sessionId: string; readonly cancel: boolean; readonly onlyMessageId?: string },
): Promise<Deleted> {
  const { organizationId } = actor;
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const ending = await sessions.softDeleteSessionIfIdle(inside.db, { organizationId, ...input });
      handleSessionEnding(inside, input.sessionId, ending);
      return ending.cancelled.length;
    },
    (cancelled) => ({ action: "session.delete", target: input.sessionId, details: { cancelled } }),
  );
  return { deleted: true, id: input.sessionId };
}
