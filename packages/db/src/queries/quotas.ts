// How much of each kind an organization may keep. Named in the statements that add to it. Sessions and bytes are
// counted by triggers, as they change, for organizations that have a bound.

import { sql, type RawBuilder } from "kysely";
import type { Database } from "../database.ts";

export const quotaKinds = ["sessions", "files", "agents", "api_keys", "storage_bytes"] as const;
export type QuotaKind = (typeof quotaKinds)[number];

/**
 * The organization's id as a value of the inserted row; the statement fails where the organization may not keep so many
 * more. `quotaRefusalOf` reads that failure.
 */
export function countedIn(
  organizationId: string | RawBuilder<string>,
  kind: QuotaKind,
  more: number,
): RawBuilder<string> {
  return sql<string>`counted_in(${organizationId}, ${kind}, ${more}::bigint)`;
}

export interface QuotaRefusal {
  readonly kind: QuotaKind;
  readonly most: number;
  /** Counted no further than `most`, except bytes. */
  readonly kept: number;
  readonly more: number;
}

/** Undefined for every other error. */
export function quotaRefusalOf(error: unknown): QuotaRefusal | undefined {
  const { code, message, detail } = (error ?? {}) as { code?: unknown; message?: string; detail?: string };
  const kind = quotaKinds.find((known) => known === message);
  if (code !== "DQ001" || kind === undefined) return undefined;
  return { kind, ...(JSON.parse(detail ?? "{}") as Omit<QuotaRefusal, "kind">) };
}

/** Kinds whose count is kept. */
export type CountedKind = "sessions" | "storage_bytes";

/**
 * Begins to count where there is a bound, and ends it where there is none. In the transaction that sets the bound,
 * which holds the organization's row for update: nobody else is changing what is counted.
 */
export async function countIfBounded(
  db: Database,
  organizationId: string,
  kind: CountedKind,
  most: number | null,
): Promise<void> {
  const place = sql`organization_id = ${organizationId} and kind = ${kind}`;
  if (most === null) await sql`delete from kept_counts where ${place}`.execute(db.kysely);
  else {
    await sql`select recount(${organizationId}, ${kind})
      where not exists (select 1 from kept_counts where ${place})`.execute(db.kysely);
  }
}

export interface CorrectedCount {
  readonly organizationId: string;
  readonly kind: CountedKind;
  /** What the count was; null: there was none. */
  readonly was: number | null;
  readonly now: number;
}

/**
 * Holds up to `limit` counts that were not looked at for `everyMs` against what they count, and puts right those that
 * are wrong or missing. A count and what it counts are read in one statement, which sees both as of one moment.
 */
export async function correctCounts(db: Database, everyMs: number, limit: number): Promise<CorrectedCount[]> {
  const result = await sql<CorrectedCount & { isRight: boolean }>`
    with due as (
      select b.id, b.kind, k.kept, k.checked_at
      from (select id, 'sessions' as kind from organizations where max_sessions is not null and deleted_at is null
        union all select id, 'storage_bytes' from organizations
          where max_storage_bytes is not null and deleted_at is null) b
        left join kept_counts k on k.organization_id = b.id and k.kind = b.kind
      where k.checked_at is null or k.checked_at < clock_timestamp() - ${everyMs} * interval '1 millisecond'
      order by k.checked_at nulls first limit ${limit}),
    held as (select *, kept_now(id, kind) as now from due)
    select id as "organizationId", kind, kept as was, now, kept is not distinct from now as "isRight" from held
  `.execute(db.kysely);
  const corrected: CorrectedCount[] = [];
  for (const { isRight, ...one } of result.rows) {
    const { organizationId, kind } = one;
    if (isRight) {
      await sql`update kept_counts set checked_at = clock_timestamp()
        where organization_id = ${organizationId} and kind = ${kind}`.execute(db.kysely);
    } else {
      const counted = await sql<{ now: number }>`select recount(${organizationId}, ${kind}) as now`.execute(db.kysely);
      corrected.push({ ...one, now: counted.rows[0]?.now ?? one.now });
    }
  }
  return corrected;
}
