// Rolls a session back to its state after a message.

import type { SessionRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { heads, type RollbackOutcome } from "@dari/db";
import { AppError, notFound } from "@dari/domain";
import { toForkPointError } from "./fork-session.ts";
import { getSession } from "./get-session.ts";

/**
 * Rolls a session back. Later messages are kept and marked, and agents no longer see them. Idempotent.
 * @throws AppError `not_found`; `invalid` for a message of another session; `session_busy` while messages wait or run;
 *   `conflict` for an ended session, and for a message that was merged, rolled back or imported without its workspace.
 */
export async function rollBackSession(
  control: Control,
  actor: Actor,
  input: { sessionId: string; messageId: string },
): Promise<SessionRecord> {
  const outcome = await heads.rollBackIfIdle(control.db, { organizationId: actor.organizationId, ...input });
  if (outcome !== "done") throw await refusal(control, actor, outcome, input.messageId);
  control.notifier.notify("session", input.sessionId);
  return getSession(control, actor, input.sessionId);
}

async function refusal(
  control: Control,
  actor: Actor,
  outcome: Exclude<RollbackOutcome, "done">,
  messageId: string,
): Promise<AppError> {
  switch (outcome) {
    case "not_found":
      return notFound("session");
    case "closed":
      return new AppError("conflict", "the session has ended; it cannot be rolled back");
    case "busy":
      return new AppError(
        "session_busy",
        "the session has messages that are queued or running; retry when they have ended",
      );
    case "no_message":
    case "merged":
    case "rolled_back":
    case "no_workspace":
      return toForkPointError(control, actor, outcome, messageId);
  }
}
