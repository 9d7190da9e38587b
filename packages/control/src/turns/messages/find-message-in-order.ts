// Walks through a conversation's messages in either order.

import type { MessageRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { messages, type MessageWalk } from "@dari/db";
import { renderMessage } from "../views/message.ts";

/**
 * Returns the first message from a sequence number on, or undefined. Leaves out messages that were rolled back. The
 * session must be known to exist.
 */
export async function findMessageInOrder(
  control: Control,
  { organizationId }: Actor,
  walk: Omit<MessageWalk, "organizationId">,
): Promise<MessageRecord | undefined> {
  const row = await messages.findInOrder(control.db, { ...walk, organizationId });
  return row === undefined ? undefined : renderMessage(row);
}
