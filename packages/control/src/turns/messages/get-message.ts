// Reads a message, together with others of the organization that are read in the same moment.

import type { MessageRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { messages, coalesceReads } from "@dari/db";
import { found } from "@dari/domain";
import { renderMessage } from "../views/message.ts";

/** Each may have megabytes. */
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

/** @throws AppError `not_found` */
export async function getMessage(control: Control, actor: Actor, messageId: string): Promise<MessageRecord> {
  return renderMessage(found(await findMessage(control.db, actor.organizationId, messageId), "message"));
}
