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
  return sql<string>`counted_in(p_organization => ${organizationId}, p_kind => ${kind}, p_more => ${more}::bigint)`;
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
 * Begins to count where there is a bound, and ends it where there is none. In the transaction that sets the bound and
 * holds the organization's row.
 */
export async function countIfBounded(
  db: Database,
  organizationId: string,
  kind: CountedKind,
  most: number | null,
): Promise<void> {
  const place = sql`organization_id = ${organizationId} and kind = ${kind}`;
  const isCounted = sql`exists (select 1 from kept_counts where ${place})`;
  if (most === null) {
    await sql`select forget_count(p_organization => ${organizationId},
      p_kind => ${kind}) where ${isCounted}`.execute(db.kysely);
  } else {
    await sql`select recount(p_organization => ${organizationId},
      p_kind => ${kind}) where not ${isCounted}`.execute(db.kysely);
  }
}

export interface CountPlace {
  readonly organizationId: string;
  readonly kind: CountedKind;
}

export interface CorrectedCount extends CountPlace {
  /** What the count was; null: there was none. */
  readonly was: number | null;
  readonly now: number;
}

/**
 * Up to `limit` counts that were not looked at for `everyMs`, or that are missing, by organization and kind and from
 * the first one after `after` on.
 */
export async function listCountsDue(
  db: Database,
  o: { readonly everyMs: number; readonly after?: CountPlace | undefined; readonly limit: number },
): Promise<CountPlace[]> {
  const { organizationId = "", kind = "" } = o.after ?? {};
  const result = await sql<CountPlace>`
    select b.id as "organizationId", b.kind
    from (select id, 'sessions' as kind from organizations where max_sessions is not null and deleted_at is null
      union all select id, 'storage_bytes' from organizations
        where max_storage_bytes is not null and deleted_at is null) b
      left join kept_counts k on k.organization_id = b.id and k.kind = b.kind
    where (b.id, b.kind) > (${organizationId}, ${kind})
      and (k.checked_at is null or k.checked_at < clock_timestamp() - ${o.everyMs} * interval '1 millisecond')
    order by b.id, b.kind limit ${o.limit}`.execute(db.kysely);
  return result.rows;
}

/**
 * Holds one count against what it counts, and puts it right where it is wrong or missing; undefined: it is right. A
 * count and what it counts are read in one statement, which sees both as of one moment.
 */
export async function correctCount(db: Database, place: CountPlace): Promise<CorrectedCount | undefined> {
  const { organizationId, kind } = place;
  const at = sql`organization_id = ${organizationId} and kind = ${kind}`;
  const held = await sql<{ was: number | null; now: number }>`
    select (select kept from kept_counts where ${at}) as was, kept_now(p_organization => ${organizationId},
      p_kind => ${kind}) as now
  `.execute(db.kysely);
  const { was, now } = held.rows[0]!;
  if (was === now) {
    await sql`update kept_counts set checked_at = clock_timestamp() where ${at}`.execute(db.kysely);
    return undefined;
  }
  const counted = await sql<{ now: number }>`select recount(p_organization => ${organizationId},
    p_kind => ${kind}) as now`.execute(db.kysely);
  return { organizationId, kind, was, now: counted.rows[0]?.now ?? now };
}
