// The events of one message from its session's stream, from its acceptance to its last event.

import { isMessageEnd, type MessageRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { getMessage } from "@dari/control/turns";
import { events } from "@dari/db";
import { followSession, type FollowOptions, type StreamItem } from "./follow-session.ts";

/**
 * Ends after the message's last event, for a merged message after the last event of the one it was merged into. While a
 * turn has the message, shows the turn too, and ends with that turn. Returns undefined if that event is not after the
 * given number. `afterSequenceNumber` undefined: from the message's acceptance.
 * @throws AppError as `followSession` does.
 */
export async function followMessage(
  control: Control,
  actor: Actor,
  record: MessageRecord,
  options: FollowOptions,
): Promise<AsyncGenerator<StreamItem, void, void> | undefined> {
  const { id: messageId, session_id: sessionId } = record;
  const accepted = await events.findAcceptance(control.db, actor.organizationId, sessionId, messageId);
  const afterSequenceNumber = Math.max((accepted ?? 1) - 1, options.afterSequenceNumber ?? 0);
  const followed = await findUnended(control, actor, record, afterSequenceNumber);
  if (followed === undefined) return undefined;
  const isInTurn = followed === messageId && (record.delivered_after ?? Infinity) <= afterSequenceNumber;
  const turn = isInTurn ? record.delivered_in : undefined;
  return only(await followSession(control, actor, sessionId, { ...options, afterSequenceNumber }), followed, turn);
}

/**
 * Returns the message whose events follow a number: for an ended message that became part of another one, that one.
 */
async function findUnended(
  control: Control,
  actor: Actor,
  record: MessageRecord,
  afterSequenceNumber: number,
): Promise<string | undefined> {
  if (record.completed_at === null) return record.id;
  const end = await events.findEnd(control.db, actor.organizationId, record.session_id, record.id);
  if (end === undefined || end > afterSequenceNumber) return record.id;
  const into = record.merged_into ?? record.delivered_in;
  if (into === undefined) return undefined;
  const target = await getMessage(control, actor, into);
  return findUnended(control, actor, target, afterSequenceNumber);
}

/** `turn`: the message whose turn has the followed one already. */
async function* only(
  items: AsyncGenerator<StreamItem, void, void>,
  messageId: string,
  turn: string | undefined,
): AsyncGenerator<StreamItem, void, void> {
  let followed = messageId;
  let around = turn;
  for await (const item of items) {
    if (item.kind === "preview") {
      if (item.preview.messageId === followed || item.preview.messageId === around) yield item;
      continue;
    }
    const { event } = item;
    const isSteered = event.type === "message.steered";
    const isOwn = event.message_id === followed;
    // The turn shows which messages it takes.
    const isOfTurn = around !== undefined && event.message_id === around;
    const isShown = isOwn || isOfTurn || (isSteered && event.data.into === followed);
    if (!isShown) continue;
    if (isOwn && isSteered) around = event.data.into;
    if (!isMessageEnd(event)) {
      yield item;
      continue;
    }
    // A repeated attempt of the turn may not have taken the message again, which then has a turn of its own.
    if (!isOwn) {
      around = undefined;
      continue;
    }
    yield item;
    const into = event.data.merged_into ?? event.data.delivered_in;
    if (into === undefined) return;
    followed = into;
    around = undefined;
  }
}
