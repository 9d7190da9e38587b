// Sends a failed message's content as a new message at its session's end.

import type { MessageRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { AppError, type Lane, type OnBusy } from "@dari/domain";
import { sendMessage, type MessagePartToSend } from "./send-message.ts";

export interface SendAgainOptions {
  readonly onBusy?: OnBusy | undefined;
  readonly lane?: Lane | undefined;
}

/**
 * Sends the content of a failed message again. `onBusy`: replaces the session's setting. `lane`: default is the lane of
 * the failed message.
 * @throws AppError `conflict` if it has not failed, or its session accepts no messages; `session_busy` if `onBusy` is
 *   `reject`; `invalid` if one of its files is deleted; `limit_exceeded`.
 */
export async function sendAgain(
  control: Control,
  actor: Actor,
  failed: MessageRecord,
  { onBusy = "enqueue", lane = failed.lane }: SendAgainOptions = {},
): Promise<{ messageId: string }> {
  if (failed.status !== "failed") {
    throw new AppError("conflict", `the message is ${failed.status}; only failed messages can be retried`);
  }
  return sendMessage(control, actor, {
    sessionId: failed.session_id,
    parts: failed.parts.map((part): MessagePartToSend =>
      part.type === "text" ? part : { type: part.type, file_id: part.file_id },
    ),
    metadata: failed.metadata,
    onBusy,
    lane,
    retryOf: { messageId: failed.id, parts: failed.parts.map((part) => (part.type === "text" ? {} : part)) },
  });
}
