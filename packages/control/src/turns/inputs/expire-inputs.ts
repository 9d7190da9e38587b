// Fails messages whose inputs were not answered in time. The reconciler runs this periodically.

import { messageInputs, type Database } from "@dari/db";
import type { Log, Notifier } from "@dari/domain";

/** Maximum number of inputs that one call expires. */
const batch = 200;

/** Fails the messages of overdue inputs. Returns how many inputs expired. */
export async function expireInputs(context: { db: Database; notifier: Notifier; log: Log }): Promise<number> {
  const expired = await messageInputs.expireOverdue(context.db, batch);
  for (const { organizationId, sessionId, messageId } of expired) {
    context.log.info({ org: organizationId, session: sessionId, message: messageId }, "input.expired");
    context.notifier.notify("session", sessionId);
    context.notifier.notify("message", messageId);
  }
  // The sessions' next messages may be ready now.
  for (const organizationId of new Set(expired.map((one) => one.organizationId))) {
    context.notifier.notify("ready", organizationId);
  }
  return expired.length;
}
