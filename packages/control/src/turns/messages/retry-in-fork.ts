// Sends a failed message again in a fork, which starts where the failed message started.

import type { MessageRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { AppError, type Lane } from "@dari/domain";
import { forkSession } from "../sessions/fork-session.ts";
import { sendAgain } from "./send-again.ts";

/**
 * Creates a fork with the conversation and the workspace from before the failed message, and sends the message there.
 * `versionId`: pins another ready version of the agent. Runs in one transaction, so that there is no fork without its
 * message.
 * @throws AppError like `forkSession` and `sendAgain`
 */
export async function retryInFork(
  inside: Control,
  actor: Actor,
  failed: MessageRecord,
  { versionId, lane }: { readonly versionId: string | undefined; readonly lane: Lane | undefined },
): Promise<{ messageId: string; sessionId: string }> {
  if (failed.status !== "failed") {
    throw new AppError("conflict", `the message is ${failed.status}; only failed messages can be retried`);
  }
  const place = { sessionId: failed.session_id, messageId: failed.id, without: true, versionId };
  const fork = await forkSession(inside, actor, place);
  const { messageId } = await sendAgain(inside, actor, { ...failed, session_id: fork.id }, { lane });
  return { messageId, sessionId: fork.id };
}
