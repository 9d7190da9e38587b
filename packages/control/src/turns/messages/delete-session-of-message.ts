// Deletes a message. Its session is deleted with it, so it must be the session's only message.

import type { Actor, Control } from "@dari/control/context";
import { deleteSession } from "../sessions/delete-session.ts";
import { getMessage } from "./get-message.ts";

/** Also cancels the message if it has not ended. @throws AppError `not_found`; `conflict` if there are others */
export async function deleteSessionOfMessage(control: Control, actor: Actor, messageId: string): Promise<void> {
  const { session_id: sessionId } = await getMessage(control, actor, messageId);
  await deleteSession(control, actor, { sessionId, cancel: true, onlyMessageId: messageId });
}
