// Compares the platform's events with the contract's schemas, without tolerance for additional fields.

import { KnownEvent, KnownPreview, validate } from "@dari/contract";
import type { Database } from "@dari/db";

type Schema = Parameters<typeof validate>[0];

interface EventPlace {
  readonly organizationId: string;
  readonly sessionId: string;
  readonly afterSequenceNumber: number;
  readonly limit: number;
}

/** `readEvents` of @dari/control. It is passed in, because tests of control import this package. */
export type ReadEvents = (
  db: Database,
  place: EventPlace,
) => Promise<{ readonly rows: readonly { readonly type: string }[]; readonly next: string | null }>;

/**
 * Reads every event of every session in the database, as clients see it. Returns a line for each type, field or value
 * that the contract does not describe. Clients ignore additions; the platform's own tests must not.
 */
export async function findUndescribedEvents(db: Database, readEvents: ReadEvents): Promise<string[]> {
  const { rows } = await db.pool.query<{ id: string; organization_id: string }>(
    "select id, organization_id from dari.sessions where next_event_number > 1",
  );
  const found: string[] = [];
  for (const { id, organization_id: organizationId } of rows) {
    for (let after: number | null = 0; after !== null;) {
      const page = await readEvents(db, { organizationId, sessionId: id, afterSequenceNumber: after, limit: 500 });
      // Convert to JSON, where absent fields are absent.
      found.push(...page.rows.flatMap((event) => describeFaults(JSON.parse(JSON.stringify(event)))));
      after = page.next === null ? null : Number(page.next);
    }
  }
  return [...new Set(found)];
}

const strictEvent = closed(KnownEvent) as Schema;
const strictPreview = closed(KnownPreview) as Schema;

/** Returns a line for each difference of an event, or of a preview, from the schema of its type. */
export function describeFaults(event: { readonly type: string }): string[] {
  const schema = "sequence_number" in event ? strictEvent : strictPreview;
  return validate(schema, event).map(({ path, message }) => `${event.type} ${path}: ${message}`);
}

/** Returns the schema, with every object that names its fields closed to others. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([name, part]) => [name, closed(part)]));
  const isOpen = copy["type"] === "object" && "properties" in copy && !("additionalProperties" in copy);
  return isOpen ? { ...copy, additionalProperties: false } : copy;
}
