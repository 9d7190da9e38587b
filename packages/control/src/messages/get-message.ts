// Reads a message.

import type { MessageRecord } from "@dari/contract";
import { messages } from "@dari/db";
import type { Actor, Control } from "../context.ts";
import { found } from "../refusals.ts";
import { renderMessage } from "../views/message.ts";

/** @throws AppError `not_found` */
export async function getMessage(control: Control, actor: Actor, messageId: string): Promise<MessageRecord> {
  return renderMessage(found(await messages.findMessage(control.db, actor.organizationId, messageId), "message"));
}
