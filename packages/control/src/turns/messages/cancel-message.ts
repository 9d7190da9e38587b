// Cancels a message. A queued message ends at once. For a running message, the worker is asked to stop.

import type { Actor, Control } from "@dari/control/context";
import { requireTokenScope, withAuditEntry } from "@dari/control/tenants";
import { turns } from "@dari/db";
import { AppError } from "@dari/domain";

/**
 * Cancels a message. Idempotent: cancelling an ended message changes nothing. A running message stays `running` until
 * its worker has stopped the turn.
 * @throws AppError `not_found`; `conflict` if a running turn has taken the message; `forbidden` for a session token
 *   without the scope `cancel`.
 */
export async function cancelMessage(control: Control, actor: Actor, messageId: string): Promise<void> {
  requireTokenScope(actor, "cancel");
  const result = await withAuditEntry(
    control,
    actor,
    (inside) => turns.cancelMessageOf(inside.db, actor.organizationId, messageId),
    ({ outcome }) =>
      outcome === "cancelled" || outcome === "requested"
        ? { action: "message.cancel", target: messageId, details: { outcome } }
        : undefined,
  );
  if (result.outcome === "not_found") throw new AppError("not_found", `message ${messageId} not found`);
  if (result.outcome === "delivered") {
    const turn = `the turn of ${result.deliveredIn}`;
    throw new AppError("conflict", `${turn} has taken the message; to stop that turn, cancel ${result.deliveredIn}`);
  }
  if (result.outcome === "requested") control.notifier.notify("cancel", messageId);
  if (result.outcome === "cancelled") {
    control.notifier.notify("message", messageId);
    if (result.sessionId !== null) control.notifier.notify("session", result.sessionId);
    // The session's next message may be ready now.
    control.notifier.notify("ready", actor.organizationId);
  }
}
