// Continues a conversation after one of its messages: in the message's session if it is the newest one there, otherwise
// in a fork. So a tree of continuations gives each branch its own conversation and files.

import { inOneTransaction, type Actor, type Control } from "@dari/control/context";
import { sessions } from "@dari/db";
import { forkSession } from "../sessions/fork-session.ts";
import { getMessage } from "./get-message.ts";
import { sendMessage, type SendMessageInput } from "./send-message.ts";

export interface SendAfterInput extends Omit<SendMessageInput, "sessionId"> {
  readonly afterMessageId: string;
  /** Forks even after the newest message (default: false). */
  readonly alwaysForks?: boolean;
  /** A ready version of the agent, for the fork. Default: the session's. */
  readonly versionId?: string | undefined;
}

/**
 * Sends a message in one transaction with its fork. Of two that continue after the same message, the first one to lock
 * the session's row stays in it.
 * @throws AppError like `forkSession` and `sendMessage`
 */
export async function sendAfterMessage(
  control: Control,
  actor: Actor,
  { afterMessageId, alwaysForks = false, versionId, ...message }: SendAfterInput,
): Promise<{ messageId: string }> {
  return inOneTransaction(control, async (inside) => {
    const after = { organizationId: actor.organizationId, messageId: afterMessageId };
    const kept = alwaysForks ? undefined : await sessions.lockSessionEndingWith(inside.db, after);
    const sessionId = kept ?? (await forkAfter(inside, actor, { messageId: afterMessageId, versionId }));
    return sendMessage(inside, actor, { ...message, sessionId });
  });
}

async function forkAfter(
  control: Control,
  actor: Actor,
  { messageId, versionId }: { readonly messageId: string; readonly versionId: string | undefined },
): Promise<string> {
  const { session_id: sessionId } = await getMessage(control, actor, messageId);
  return (await forkSession(control, actor, { sessionId, messageId, versionId })).id;
}
