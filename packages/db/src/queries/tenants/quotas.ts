// How much of each kind an organization may store. Used in the statements that add to it. For organizations with a
// limit, triggers keep the totals of sessions and bytes.

import { sql, type RawBuilder } from "kysely";
import type { Database } from "../../database.ts";

export const quotaKinds = ["sessions", "files", "agents", "api_keys", "storage_bytes"] as const;
export type QuotaKind = (typeof quotaKinds)[number];

/**
 * Returns the organization's id as a value for the inserted row. The statement fails if the organization may not store
 * that many more; `quotaRefusalOf` reads the failure.
 */
export function organizationWithinQuota(
  organizationId: string | RawBuilder<string>,
  kind: QuotaKind,
  more: number,
): RawBuilder<string> {
  return sql<string>`counted_in(p_organization => ${organizationId}, p_kind => ${kind}, p_more => ${more}::bigint)`;
}

export interface QuotaRefusal {
  readonly kind: QuotaKind;
  readonly most: number;
  /** Counted up to `most`, except bytes. */
  readonly kept: number;
  readonly more: number;
}

/** Returns undefined for every other error. */
export function quotaRefusalOf(error: unknown): QuotaRefusal | undefined {
  const { code, message, detail } = (error ?? {}) as { code?: unknown; message?: string; detail?: string };
  const kind = quotaKinds.find((known) => known === message);
  if (code !== "DQ001" || kind === undefined) return undefined;
  return { kind, ...(JSON.parse(detail ?? "{}") as Omit<QuotaRefusal, "kind">) };
}

/** Kinds with a stored total. */
export type CountedKind = "sessions" | "storage_bytes";

/**
 * Starts the total if there is a limit, and deletes it if there is none. Runs in the transaction that sets the limit
 * and locks the organization's row.
 */
export async function startOrStopCounting(
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

export interface CountKey {
  readonly organizationId: string;
  readonly kind: CountedKind;
}

export interface CorrectedCount extends CountKey {
  /** The former total; null if there was none. */
  readonly was: number | null;
  readonly now: number;
}

/**
 * Lists up to `limit` totals that were not checked for `everyMs`, or that are missing, by organization and kind,
 * starting after `after`.
 */
export async function listCountsToCorrect(
  db: Database,
  o: { readonly everyMs: number; readonly after?: CountKey | undefined; readonly limit: number },
): Promise<CountKey[]> {
  const { organizationId = "", kind = "" } = o.after ?? {};
  const result = await sql<CountKey>`
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
 * Checks one total, and corrects it if it is wrong or missing; undefined: it is right. One statement reads the total
 * and what it counts, so both are of one moment.
 */
export async function correctCount(db: Database, place: CountKey): Promise<CorrectedCount | undefined> {
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
