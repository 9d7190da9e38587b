// Lists a session's messages in order.

import type { MessageRecord } from "@dari/contract";
import { renderPage, type Actor, type Control, type PageOf } from "@dari/control/context";
import { messages, type Page } from "@dari/db";
import { getSession } from "../sessions/get-session.ts";
import { renderMessage } from "../views/message.ts";

/** Returns a page of a session's messages. @throws AppError `not_found` */
export async function listMessages(
  control: Control,
  actor: Actor,
  sessionId: string,
  page: Page,
): Promise<PageOf<MessageRecord>> {
  await getSession(control, actor, sessionId);
  return renderPage(await messages.listMessages(control.db, actor.organizationId, sessionId, page), renderMessage);
}
