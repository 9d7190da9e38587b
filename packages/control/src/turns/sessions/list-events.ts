// Reads a session's events.

import type { EventRecord, MessageRecord } from "@dari/contract";
import type { Actor, Control, PageOf } from "@dari/control/context";
import { events, messages, coalesceReads, type Database, type EventRow, type EventsAfter } from "@dari/db";
import { messageIdShownBy, renderEvent } from "../views/event.ts";
import { renderMessage } from "../views/message.ts";
import { getSession } from "./get-session.ts";

/** Returns the events after a number, in order. `next`: the number of the last event. @throws AppError `not_found` */
export async function listEvents(
  control: Control,
  actor: Actor,
  input: { sessionId: string; afterSequenceNumber: number; limit: number },
): Promise<PageOf<EventRecord>> {
  await getSession(control, actor, input.sessionId);
  return readEvents(control.db, { ...input, organizationId: actor.organizationId });
}

/** Lists events like `listEvents`, for a session that is known to exist. */
export async function readEvents(db: Database, of: EventsAfter): Promise<PageOf<EventRecord>> {
  const { organizationId, sessionId } = of;
  const page = await events.listEvents(db, of);
  const records = await recordsShownBy(db, organizationId, page.rows);
  return {
    rows: page.rows.map((row) => renderEvent(sessionId, row, records.get(messageIdShownBy(row) ?? ""))),
    next: page.more ? String(page.rows.at(-1)?.sequenceNumber) : null,
  };
}

export interface EventsRead {
  readonly events: readonly EventRecord[];
  readonly more: boolean;
}

/** Limits for each session if several sessions are read with one query. Most have one or two new events. */
const together = { limit: 20, maxBytes: 32 * 1024 };
/** Maximum number of sessions of one query. With `together.maxBytes` each, they stay below `limits.pageBytes`. */
const sessionsTogetherMax = 200;

const findTogether = coalesceReads<EventsRead>(
  async (db, organizationId, keys) => {
    const positions = keys.map(positionOf);
    const pages = await events.listEventsOfSessions(db, organizationId, positions, together);
    const records = await recordsShownBy(
      db,
      organizationId,
      pages.flatMap(({ rows }) => rows),
    );
    return new Map(
      pages.map(({ rows, more }, i) => {
        const rendered = rows.map((row) =>
          renderEvent(positions[i]!.sessionId, row, records.get(messageIdShownBy(row) ?? "")),
        );
        return [keys[i]!, { events: rendered, more }];
      }),
    );
  },
  { keysMax: sessionsTogetherMax },
);

/**
 * Reads events after a number. Sessions that are requested at the same time are read with one query. Otherwise many
 * turns that start or end together would wait for each other's queries.
 */
export async function readEventsCoalesced(db: Database, of: EventsAfter): Promise<EventsRead> {
  const found = await findTogether(db, of.organizationId, keyOf(of));
  if (found === undefined) return { events: [], more: false };
  if (found.events.length > 0 || !found.more) return found;
  const page = await readEvents(db, of);
  return { events: page.rows, more: page.next !== null };
}

function keyOf({ sessionId, afterSequenceNumber }: events.SessionPosition): string {
  return `${afterSequenceNumber} ${sessionId}`;
}

function positionOf(key: string): events.SessionPosition {
  const at = key.indexOf(" ");
  return { sessionId: key.slice(at + 1), afterSequenceNumber: Number(key.slice(0, at)) };
}

async function recordsShownBy(
  db: Database,
  organizationId: string,
  rows: readonly EventRow[],
): Promise<ReadonlyMap<string, MessageRecord>> {
  const ids = rows.map(messageIdShownBy).filter((id) => id !== undefined);
  const found = await messages.listMessagesOfEvents(db, organizationId, ids);
  return new Map(found.map((row) => [row.id, renderMessage(row)]));
}
