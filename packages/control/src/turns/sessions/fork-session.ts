// Creates a session from the state of another session after a message. Copies no files: both have the same snapshot.

import type { SessionRecord } from "@dari/contract";
import { inOneTransaction, type Actor, type Control } from "@dari/control/context";
import { heads, sessionSummaries, type ForkOutcome } from "@dari/db";
import { AppError, invalidField, newId, notFound } from "@dari/domain";
import { creatorOf } from "./creator-of.ts";
import { getMessage } from "../messages/get-message.ts";
import { getSession } from "./get-session.ts";

export interface ForkOptions {
  readonly sessionId: string;
  /** The message after which the fork starts (default: the session's last completed message). */
  readonly messageId?: string | undefined;
  /** Whether the fork starts before the message instead (default: false). The message has run in this session. */
  readonly without?: boolean;
  /** A ready version of the agent (default: the session's). */
  readonly versionId?: string | undefined;
}

/**
 * Forks a session. The fork gets the version, name, metadata, secrets and policy of the session.
 * @throws AppError `not_found`; `invalid` for a message of another session; `conflict` for a message that has not
 *   ended, was merged or rolled back, or was imported without its workspace, and if the agent is deleted.
 */
export async function forkSession(control: Control, actor: Actor, fork: ForkOptions): Promise<SessionRecord> {
  const sessionId = newId("session");
  const outcome = await inOneTransaction(control, async ({ db }) => {
    const forked = await heads.forkSession(db, {
      organizationId: actor.organizationId,
      sourceId: fork.sessionId,
      messageId: fork.messageId,
      without: fork.without ?? false,
      sessionId,
      versionId: fork.versionId,
    });
    if (forked === "forked") await sessionSummaries.setSessionCreator(db, sessionId, creatorOf(actor));
    return forked;
  });
  if (outcome !== "forked") throw await refusal(control, actor, outcome, fork);
  return getSession(control, actor, sessionId);
}

async function refusal(
  control: Control,
  actor: Actor,
  outcome: Exclude<ForkOutcome, "forked">,
  fork: ForkOptions,
): Promise<AppError> {
  switch (outcome) {
    case "not_found":
      return notFound("session");
    case "agent_gone":
      return new AppError("conflict", "the session's agent is deleted; it cannot start sessions");
    case "version_not_ready":
      return new AppError("conflict", `${fork.versionId} is not a ready version of the session's agent`);
    case "open_before":
      return new AppError("conflict", "earlier messages are still queued or running; fork when they have ended");
    case "no_message":
    case "not_ended":
    case "merged":
    case "rolled_back":
    case "no_workspace":
      return toForkPointError(control, actor, outcome, fork.messageId ?? "the last completed message");
  }
}

/** Returns why a session cannot be forked from, or rolled back to, this message. */
export async function toForkPointError(
  control: Control,
  actor: Actor,
  outcome: "no_message" | "not_ended" | "merged" | "rolled_back" | "no_workspace",
  messageId: string,
): Promise<AppError> {
  switch (outcome) {
    case "no_message":
      return invalidField("message_id", `${messageId} is not a message of this session`);
    case "not_ended":
      return new AppError("conflict", `${messageId} has not ended yet`);
    case "merged": {
      const { merged_into: into, delivered_in: turn = into } = await getMessage(control, actor, messageId);
      return new AppError("conflict", `${messageId} became part of ${turn}; use that message`);
    }
    case "rolled_back":
      return new AppError("conflict", `${messageId} was rolled back and is no longer part of the conversation`);
    case "no_workspace":
      return new AppError("conflict", `${messageId} was imported without its workspace; use a later message`);
  }
}
