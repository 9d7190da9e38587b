// Checks whether the platform can accept messages.

import { readiness, turns, type Database } from "@dari/db";
import { newId } from "@dari/domain";

/**
 * Sends a message to a session that does not exist. This runs the usual statement with the usual rights, but writes
 * nothing. @throws with the reason if messages cannot be accepted
 */
export async function checkMessagesAccepted(db: Database): Promise<void> {
  if (!(await readiness.acceptsWrites(db))) throw new Error("the database accepts no writes");
  const { outcome } = await turns.acceptMessage(db, {
    organizationId: newId("organization"),
    sessionId: newId("session"),
    messageId: newId("message"),
    parts: [],
    metadata: {},
    attachments: [],
    dispatchTtlMs: undefined,
  });
  if (outcome !== "not_found") throw new Error(`a message to no session was answered ${outcome}`);
}
