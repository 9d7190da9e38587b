// Sends a failed message's content as a new message at its session's end.

import type { MessageRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { steering } from "@dari/db";
import { AppError, limits, type Lane, type OnBusy } from "@dari/domain";
import { sendMessage, type MessagePartToSend } from "./send-message.ts";

export interface SendAgainOptions {
  readonly onBusy?: OnBusy | undefined;
  readonly lane?: Lane | undefined;
}

/**
 * Sends the content of a failed message again, followed by the text of each message that steered its turn. `onBusy`:
 * replaces the session's setting. `lane`: default is the lane of the failed message.
 * @throws AppError `conflict` if it has not failed, is a replay, is too large together with what steered its turn, or
 *   its session accepts no messages; `session_busy` if `onBusy` is `reject`; `invalid` if one of its files is deleted;
 *   `limit_exceeded`.
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
  if (failed.replay_of !== undefined) {
    throw new AppError("conflict", `the message is a replay; replay ${failed.replay_of} again instead`);
  }
  return sendMessage(control, actor, {
    sessionId: failed.session_id,
    parts: await partsToSend(control, failed),
    metadata: failed.metadata,
    onBusy,
    lane,
    retryOf: { messageId: failed.id, parts: failed.parts.map((part) => (part.type === "text" ? {} : part)) },
  });
}

async function partsToSend(control: Control, { id, parts }: MessageRecord): Promise<MessagePartToSend[]> {
  const own = parts.map((part): MessagePartToSend =>
    part.type === "text" ? part : { type: part.type, file_id: part.file_id },
  );
  const taken = await steering.listTakenParts(control.db, id);
  if (taken.length === 0) return own;
  const all = [...own, ...taken.map((each) => ({ type: "text" as const, text: textOf(each) }))];
  const bytes = Buffer.byteLength(JSON.stringify(all));
  if (bytes <= limits.mergedPartsBytes) return all;
  const size = `${id} and the messages that steered its turn have ${bytes} bytes`;
  throw new AppError(
    "conflict",
    `${size}; at most ${limits.mergedPartsBytes} can be retried; send them as new messages`,
  );
}

function textOf(parts: readonly Readonly<Record<string, unknown>>[]): string {
  return parts.flatMap(({ text }) => (typeof text === "string" ? [text] : [])).join("\n\n");
}
