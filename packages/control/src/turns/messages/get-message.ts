// Reads a message. Messages of one organization that are requested at the same time are read with one query.

import type { MessageRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { messages, coalesceReads } from "@dari/db";
import { requireFound } from "@dari/domain";
import { renderMessage } from "../views/message.ts";

/** Maximum number of messages of one query. It is small, because each message can have megabytes. */
const togetherMax = 20;

const findMessage = coalesceReads(
  async (db, organizationId, ids) => {
    const rows =
      ids.length === 1
        ? [await messages.findMessage(db, organizationId, ids[0]!)].filter((row) => row !== undefined)
        : await messages.listMessagesByIds(db, organizationId, ids);
    return new Map(rows.map((row) => [row.id, row]));
  },
  { keysMax: togetherMax },
);

/** Returns a message. @throws AppError `not_found` */
export async function getMessage(control: Control, actor: Actor, messageId: string): Promise<MessageRecord> {
  return renderMessage(requireFound(await findMessage(control.db, actor.organizationId, messageId), "message"));
}
