// Sends a failed message again, with an audit entry.

import type { RetryMessageRequest } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { withAuditEntry } from "@dari/control/tenants";
import { invalidField } from "@dari/domain";
import { getMessage } from "./get-message.ts";
import { retryInFork } from "./retry-in-fork.ts";
import { sendAgain } from "./send-again.ts";

/**
 * Sends the same parts and metadata as a new message: at the end of the session, or in a fork that starts before the
 * failed message. A fork can use another ready version.
 * @throws AppError `not_found`; `conflict` if the message has not failed, its session accepts no messages, or the
 *   version is not ready; `session_busy`; `invalid` if one of its files is deleted, and for a version without a fork.
 */
export async function retryMessage(
  control: Control,
  actor: Actor,
  messageId: string,
  request: RetryMessageRequest,
): Promise<{ messageId: string }> {
  const { version_id: versionId, fork = false, on_busy: onBusy, lane } = request;
  if (versionId !== undefined && !fork) {
    throw invalidField("version_id", "a session keeps its version; set `fork: true` to use another one");
  }
  const failed = await getMessage(control, actor, messageId);
  return withAuditEntry(
    control,
    actor,
    (inside) =>
      fork
        ? retryInFork(inside, actor, failed, { versionId, lane })
        : sendAgain(inside, actor, failed, { onBusy, lane }),
    (sent) => ({
      action: "message.retry",
      target: messageId,
      details: {
        retry_message_id: sent.messageId,
        ...("sessionId" in sent ? { fork_session_id: sent.sessionId } : {}),
        ...(versionId === undefined ? {} : { version_id: versionId }),
        ...(onBusy === undefined ? {} : { on_busy: onBusy }),
      },
    }),
  );
}
