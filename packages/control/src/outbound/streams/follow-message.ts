// The events of one message from its session's stream, from its acceptance to its last event.

import { isMessageEnd, type MessageRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { getMessage } from "@dari/control/turns";
import { events } from "@dari/db";
import { followSession, type FollowOptions, type StreamItem } from "./follow-session.ts";

/**
 * Ends after the message's last event, for a merged message after the last event of the one it was merged into. Returns
 * undefined if that event is not after the given number. `afterSequenceNumber` undefined: from the message's
 * acceptance.
 * @throws AppError `not_found`, and as `followSession` does.
 */
export async function followMessage(
  control: Control,
  actor: Actor,
  messageId: string,
  options: Omit<FollowOptions, "afterSequenceNumber"> & { readonly afterSequenceNumber: number | undefined },
): Promise<AsyncGenerator<StreamItem, void, void> | undefined> {
  const record = await getMessage(control, actor, messageId);
  const { session_id: sessionId } = record;
  const accepted = await events.findAcceptance(control.db, actor.organizationId, sessionId, messageId);
  const afterSequenceNumber = Math.max((accepted ?? 1) - 1, options.afterSequenceNumber ?? 0);
  const followed = await findUnended(control, actor, record, afterSequenceNumber);
  if (followed === undefined) return undefined;
  return only(await followSession(control, actor, sessionId, { ...options, afterSequenceNumber }), followed);
}

/** Returns the message whose events follow a number: for an ended merged message, the one it was merged into. */
async function findUnended(
  control: Control,
  actor: Actor,
  record: MessageRecord,
  afterSequenceNumber: number,
): Promise<string | undefined> {
  if (record.completed_at === null) return record.id;
  const end = await events.findEnd(control.db, actor.organizationId, record.session_id, record.id);
  if (end === undefined || end > afterSequenceNumber) return record.id;
  if (record.merged_into === undefined) return undefined;
  const target = await getMessage(control, actor, record.merged_into);
  return findUnended(control, actor, target, afterSequenceNumber);
}

async function* only(
  items: AsyncGenerator<StreamItem, void, void>,
  messageId: string,
): AsyncGenerator<StreamItem, void, void> {
  let followed = messageId;
  for await (const item of items) {
    if (item.kind === "preview" && item.preview.messageId !== followed) continue;
    if (item.kind === "event" && item.event.message_id !== followed) continue;
    yield item;
    if (item.kind !== "event" || !isMessageEnd(item.event)) continue;
    const { merged_into: mergedInto } = item.event.data;
    if (mergedInto === undefined) return;
    followed = mergedInto;
  }
}
