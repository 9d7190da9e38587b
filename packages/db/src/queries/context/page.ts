// Keyset pages of a list: rows after a known row's id, never by offset.

import { limits } from "@dari/domain";
import { sql, type RawBuilder, type SelectQueryBuilder } from "kysely";
import type { Database } from "../../database.ts";
import type { DB } from "../../generated/schema.ts";

export interface Page {
  /** Maximum number of rows. */
  readonly limit: number;
  /** The id of the row after which the page starts. */
  readonly after?: string | undefined;
}

/** A page of rows; `undefined` instead if the cursor names no row of this list. */
export interface ListPage<Row> {
  readonly rows: Row[];
  /** The cursor of the next page, or null at the end. */
  readonly next: string | null;
}

type ListedTable =
  | "agents"
  | "api_keys"
  | "budgets"
  | "credentials"
  | "files"
  | "schedules"
  | "session_batches"
  | "sessions"
  | "triggers"
  | "webhook_endpoints";

/** Returns whether a cursor's row belongs to the organization, deleted or not (primary key). */
export async function isKnownCursor(
  db: Database,
  table: ListedTable,
  organizationId: string,
  page: Page,
): Promise<boolean> {
  if (page.after === undefined) return true;
  const row = await db.kysely
    .selectFrom(table as keyof Pick<DB, "agents">)
    .where("id", "=", page.after)
    .where("organization_id", "=", organizationId)
    .select("id")
    .executeTakeFirst();
  return row !== undefined;
}

interface ListOptions {
  readonly table: ListedTable;
  readonly organizationId: string;
  readonly page: Page;
  /** The column of the row's id (default: `id`). */
  readonly id?: string;
  /** The bytes of a row. If given, a large page ends before its rows exceed `limits.pageBytes`. */
  readonly bytes?: RawBuilder<number>;
}

/** Returns a page of what `query` selects, newest first; undefined if the cursor names no row of the organization. */
export async function listNewestFirst<Schema, Tables extends keyof Schema, Row extends { readonly id: string }>(
  db: Database,
  { table, organizationId, page, id = "id", bytes }: ListOptions,
  query: SelectQueryBuilder<Schema, Tables, Row>,
): Promise<ListPage<Row> | undefined> {
  if (!(await isKnownCursor(db, table, organizationId, page))) return undefined;
  const after = page.after === undefined ? query : query.where(sql<boolean>`${sql.ref(id)} < ${page.after}`);
  const ordered = after.orderBy(sql.ref(id), "desc");
  const measure = (size: RawBuilder<number>, limit: number) =>
    ordered.clearSelect().select(size.as("bytes")).$castTo<{ bytes: number }>().limit(limit).execute();
  const fitting = bytes === undefined ? page : await limitPageBytes(page, (limit) => measure(bytes, limit));
  return toPage(await ordered.limit(fitting.limit + 1).execute(), fitting);
}

/** Cuts `limit + 1` rows to a page. */
export function toPage<Row extends { readonly id: string }>(rows: Row[], page: Page): ListPage<Row> {
  const shown = rows.slice(0, page.limit);
  return { rows: shown, next: rows.length > page.limit ? (shown.at(-1)?.id ?? null) : null };
}

/**
 * Shortens a page so that its rows have at most `limits.pageBytes`. `measure` returns the sizes of the page's first
 * rows. As many rows as a list shows by default are not measured: a row has at most some hundred kilobytes.
 */
export async function limitPageBytes(
  page: Page,
  measure: (limit: number) => Promise<readonly { readonly bytes: number }[]>,
): Promise<Page> {
  if (page.limit <= limits.listLimitDefault) return page;
  return { ...page, limit: Math.max(1, countRowsWithin(await measure(page.limit), limits.pageBytes)) };
}

/** Returns how many rows, from the first on, have at most `maxBytes` together; at least one if there is any. */
export function countRowsWithin(rows: readonly { readonly bytes: number }[], maxBytes: number): number {
  let total = 0;
  let count = 0;
  for (const { bytes } of rows) {
    total += bytes;
    if (count > 0 && total > maxBytes) break;
    count += 1;
  }
  return count;
}
