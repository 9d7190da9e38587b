// Sends a message again, or another one in its place: the session is rolled back to the message before it.

import type { MessageRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { findMessageInOrder, rollBackSession } from "@dari/control/turns";
import { AppError } from "@dari/domain";
import { getMessageOf } from "./answer-question.ts";
import { textOf } from "./message-text.ts";

/** Messages without a turn of their own that are looked through for the one before. */
const skippedMax = 100;

export interface Replaced {
  readonly sessionId: string;
  /** The message that the client named. Undefined: it named none, or by an id of its own. */
  readonly messageId: string | undefined;
  /** The last answer that the client has before it. Undefined: it has none, or did not send it. */
  readonly afterMessageId: string | undefined;
  /** What the client has between that answer and the message. Undefined: a message with an id of the client. */
  readonly between: readonly (string | undefined)[];
  /** The text of the message, as the client has it. Undefined: the client did not send it, or replaces it. */
  readonly text: string | undefined;
  /** Whether the newest message is meant if nothing else names one. */
  readonly isNewest: boolean;
}

/**
 * Returns the message that a request replaces: the named one, or the one after the last answer that the client has, or
 * the newest one. Undefined if there is none.
 * @throws AppError `conflict` if the message may be another one than the client means
 */
export async function findReplaced(
  control: Control,
  actor: Actor,
  replaced: Replaced,
): Promise<MessageRecord | undefined> {
  const found = await findNamed(control, actor, replaced);
  if (found === undefined) return undefined;
  const answeredBy = found.merged_into ?? found.delivered_in;
  if (answeredBy !== undefined) {
    const detail = `${found.id} is answered by the turn of ${answeredBy}`;
    throw new AppError("conflict", `${detail}; replace that message, or load the messages again`);
  }
  const { messageId, afterMessageId, text, isNewest } = replaced;
  const isSure = messageId !== undefined || afterMessageId !== undefined || isNewest || found.sequence_number === 1;
  const isSame = messageId === found.id || text === undefined || text === textOf(found);
  if (isSure && isSame && found.rolled_back === undefined) return found;
  throw notSure();
}

function notSure(): AppError {
  const detail = "the session's messages are not those of this request, so it does not say which one to replace";
  return new AppError("conflict", `${detail}; load the messages again`);
}

async function findNamed(
  control: Control,
  actor: Actor,
  { sessionId, messageId, afterMessageId, between }: Replaced,
): Promise<MessageRecord | undefined> {
  const named = messageId === undefined ? undefined : await getMessageOf(control, actor, { sessionId, messageId });
  // A client keeps the id of a message that it replaces, and may replace it again.
  if (named !== undefined && (named.rolled_back === undefined || afterMessageId === undefined)) return named;
  if (afterMessageId === undefined) {
    return findMessageInOrder(control, actor, { sessionId, order: "desc", from: undefined });
  }
  const before = await getMessageOf(control, actor, { sessionId, messageId: afterMessageId });
  // The message that it became part of can be the replaced one, or one that the client does not have.
  const isUnclear = before.merged_into !== undefined || between.length > skippedMax;
  if (isUnclear || before.rolled_back !== undefined) throw notSure();
  let from = before.sequence_number + 1;
  for (const id of between) {
    const passed = await findMessageInOrder(control, actor, { sessionId, order: "asc", from });
    const answeredBy = passed?.merged_into ?? passed?.delivered_in;
    if (passed === undefined || passed.id !== id || answeredBy === undefined) throw notSure();
    from = passed.sequence_number + 1;
  }
  return findMessageInOrder(control, actor, { sessionId, order: "asc", from });
}

/**
 * Rolls the session back to before a message, unless the message failed or was cancelled and is the newest: it left
 * nothing. Runs in the transaction that then sends the other message.
 * @throws AppError `conflict` for the first message, and as `rollBackSession` does; `forbidden` for a session token
 */
export async function rollBackBefore(control: Control, actor: Actor, message: MessageRecord): Promise<void> {
  const { session_id: sessionId, sequence_number: number, status } = message;
  const newest = await findMessageInOrder(control, actor, { sessionId, order: "desc", from: undefined });
  if (newest?.id === message.id && (status === "failed" || status === "cancelled")) return;
  if (actor.sessionToken !== undefined) {
    const detail = "a session token cannot roll the session back, so it replaces the newest message only, and only if";
    throw new AppError("forbidden", `${detail} that failed or was cancelled; use an API key on your server`);
  }
  const before = await findTurnBefore(control, actor, sessionId, number);
  if (before !== undefined) {
    await rollBackSession(control, actor, { sessionId, messageId: before.id });
    return;
  }
  if (message.completed_at === null) {
    throw new AppError("session_busy", "the first message of the session has not ended; cancel it, or retry later");
  }
  const detail = "the first message of a session cannot be replaced, because no state before it is kept";
  throw new AppError("conflict", `${detail}; create a session`);
}

async function findTurnBefore(
  control: Control,
  actor: Actor,
  sessionId: string,
  number: number,
): Promise<MessageRecord | undefined> {
  let from = number - 1;
  for (let skipped = 0; skipped < skippedMax; skipped++) {
    const message = await findMessageInOrder(control, actor, { sessionId, order: "desc", from });
    if (message === undefined || (message.merged_into ?? message.delivered_in) === undefined) return message;
    from = message.sequence_number - 1;
  }
  throw new AppError(
    "conflict",
    `more than ${skippedMax} messages before this one have no turn; roll the session back`,
  );
}
