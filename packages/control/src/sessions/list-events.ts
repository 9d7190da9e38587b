// Reads a session's ledger.

import type { EventRecord } from "@dari/contract";
import { events, messages, type Database, type EventsAfter } from "@dari/db";
import type { Actor, Control } from "../context.ts";
import type { PageOf } from "../refusals.ts";
import { messageShownBy, renderEvent } from "../views/event.ts";
import { renderMessage } from "../views/message.ts";
import { getSession } from "./get-session.ts";

/** Events after a number, in order. `next` is the number of the last one shown. @throws AppError `not_found` */
export async function listEvents(
  control: Control,
  actor: Actor,
  input: { sessionId: string; afterSequenceNumber: number; limit: number },
): Promise<PageOf<EventRecord>> {
  await getSession(control, actor, input.sessionId);
  return readEvents(control.db, { ...input, organizationId: actor.organizationId });
}

/** The same of a session that is known to exist; one that does not has no events. */
export async function readEvents(db: Database, of: EventsAfter): Promise<PageOf<EventRecord>> {
  const { organizationId, sessionId } = of;
  const page = await events.listEvents(db, of);
  const shownMessages = page.rows.map(messageShownBy).filter((id) => id !== undefined);
  const rows = shownMessages.length === 0 ? [] : await messages.listMessagesByIds(db, organizationId, shownMessages);
  const records = new Map(rows.map((row) => [row.id, renderMessage(row)]));
  return {
    rows: page.rows.map((row) => renderEvent(sessionId, row, records.get(messageShownBy(row) ?? ""))),
    next: page.more ? String(page.rows.at(-1)?.sequenceNumber) : null,
  };
}
