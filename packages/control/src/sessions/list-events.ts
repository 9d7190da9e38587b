// Reads a session's ledger.

import type { EventRecord } from "@dari/contract";
import { events, messages } from "@dari/db";
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
  const { organizationId } = actor;
  await getSession(control, actor, input.sessionId);
  const { sessionId, afterSequenceNumber, limit } = input;
  const page = await events.listEvents(control.db, organizationId, sessionId, afterSequenceNumber, limit);
  const shown = page.rows;
  const shownMessages = shown.map(messageShownBy).filter((id) => id !== undefined);
  const records = new Map(
    (await messages.listMessagesByIds(control.db, organizationId, shownMessages)).map((row) => [
      row.id,
      renderMessage(row),
    ]),
  );
  return {
    rows: shown.map((row) => renderEvent(input.sessionId, row, records.get(messageShownBy(row) ?? ""))),
    next: page.more ? String(shown.at(-1)?.sequenceNumber) : null,
  };
}
