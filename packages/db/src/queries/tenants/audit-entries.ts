// The audit log. The application's role can only insert and select rows.

import { sql } from "kysely";
import type { Database } from "../../database.ts";
import { toPage, type ListPage, type Page } from "../context/page.ts";

export interface NewAuditEntry {
  readonly id: string;
  readonly organizationId: string;
  /** Null for the installation's setup. */
  readonly actorKeyId: string | null;
  /** The person who acted, if any. */
  readonly actorMemberId?: string | null;
  readonly action: string;
  readonly target: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly requestId: string | null;
  /** The reply to give to a repeated call. */
  readonly reply?: unknown;
}

export interface AuditEntryRow {
  readonly id: string;
  readonly actorKeyId: string | null;
  readonly actorMemberId: string | null;
  readonly action: string;
  readonly target: string;
  readonly details: unknown;
  readonly requestId: string | null;
  readonly createdAt: Date;
}

export async function insertAuditEntry(db: Database, entry: NewAuditEntry): Promise<void> {
  await db.kysely
    .insertInto("audit_entries")
    .values({
      id: entry.id,
      organization_id: entry.organizationId,
      actor_key_id: entry.actorKeyId,
      actor_member_id: entry.actorMemberId ?? null,
      action: entry.action,
      target: entry.target,
      details: JSON.stringify(entry.details),
      request_id: entry.requestId,
      reply: entry.reply === undefined ? null : JSON.stringify(entry.reply),
    })
    .execute();
}

/** Lists entries, newest first by the database's clock (index audit_entries_by_organization). */
export async function listAuditEntries(
  db: Database,
  organizationId: string,
  page: Page,
): Promise<ListPage<AuditEntryRow> | undefined> {
  let query = db.kysely.selectFrom("audit_entries").where("organization_id", "=", organizationId);
  if (page.after !== undefined) {
    const cursor = await query.where("id", "=", page.after).select("id").executeTakeFirst();
    if (cursor === undefined) return undefined;
    // Compared in the database: a JavaScript Date has no microseconds.
    query = query.where(
      sql<boolean>`(created_at, id) < (select c.created_at, c.id from audit_entries c where c.id = ${page.after})`,
    );
  }
  const rows = await query
    .select(["id", "actor_key_id as actorKeyId", "action", "target", "details", "request_id as requestId"])
    .select(["actor_member_id as actorMemberId", "created_at as createdAt"])
    .orderBy("created_at", "desc")
    .orderBy("id", "desc")
    .limit(page.limit + 1)
    .execute();
  return toPage(rows, page);
}

/** Returns the reply that is stored with this entry, or undefined if there is none (primary key). */
export async function findAuditedReply(db: Database, organizationId: string, entryId: string): Promise<unknown> {
  const row = await db.kysely
    .selectFrom("audit_entries")
    .where("id", "=", entryId)
    .where("organization_id", "=", organizationId)
    .select("reply")
    .executeTakeFirst();
  return row?.reply ?? undefined;
}
