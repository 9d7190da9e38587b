// Lists a session's messages in their order.

import type { MessageRecord } from "@dari/contract";
import { messages, type Page } from "@dari/db";
import type { Actor, Control } from "../context.ts";
import { renderPage, type PageOf } from "../page.ts";
import { getSession } from "../sessions/get-session.ts";
import { renderMessage } from "../views/message.ts";

/** @throws AppError `not_found` */
export async function listMessages(
  control: Control,
  actor: Actor,
  sessionId: string,
  page: Page,
): Promise<PageOf<MessageRecord>> {
  await getSession(control, actor, sessionId);
  return renderPage(await messages.listMessages(control.db, actor.organizationId, sessionId, page), renderMessage);
}
