// What organizations and keys have sent in the current window. The only count is in the rows.

import { sql } from "kysely";
import type { Database } from "../../database.ts";

export const rateKinds = ["requests", "messages", "upload_bytes"] as const;
export type RateKind = (typeof rateKinds)[number];

/** An amount to take from an organization's window, and from its key's if that has its own quota. */
export interface RateRequest {
  readonly organizationId: string;
  readonly keyId: string;
  readonly kind: RateKind;
  /** Length of the window, in seconds. */
  readonly seconds: number;
  /** A negative amount gives back. */
  readonly want: number;
  /** All or nothing; otherwise as much as there is. */
  readonly whole: boolean;
  /**
   * How much more to take if all of `want` is granted, limited to 1/256 of what is then left. The caller uses it before
   * the window ends, or not at all.
   */
  readonly spare: number;
  /** Used if the organization's row has none; undefined: no limit. */
  readonly quota: number | undefined;
  readonly keyQuota: number | undefined;
}

export interface RateGrant {
  /** Includes the spare amount. */
  readonly granted: number;
  /** Null if the organization has no limit. */
  readonly quota: number | null;
  readonly remaining: number | null;
  /** Milliseconds until the window ends. */
  readonly resetMs: number | null;
  /** Null if the key has no quota of its own. */
  readonly keyRemaining: number | null;
  readonly keyResetMs: number | null;
}

/**
 * Returns one result per take, in order. Exact across processes: each row is changed under its lock, which is held for
 * this statement (primary key; the order of the takes by organization, kind and key prevents deadlocks).
 */
export async function takeFromRateWindows(db: Database, takes: readonly RateRequest[]): Promise<RateGrant[]> {
  if (takes.length === 0) return [];
  const order = takes.map((_, index) => index).sort((left, right) => compare(takes[left]!, takes[right]!));
  const sorted = order.map((index) => takes[index]!);
  const result = await sql<RateGrant>`
    select granted, quota, remaining, reset_ms as "resetMs", key_remaining as "keyRemaining",
      key_reset_ms as "keyResetMs"
    from take_from_windows(p_organizations => ${sorted.map((take) => take.organizationId)}::text[],
      p_keys => ${sorted.map((take) => take.keyId)}::text[], p_kinds => ${sorted.map((take) => take.kind)}::text[],
      p_seconds => ${sorted.map((take) => take.seconds)}::int[],
      p_wants => ${sorted.map((take) => take.want)}::bigint[],
      p_whole => ${sorted.map((take) => take.whole)}::boolean[],
      p_spares => ${sorted.map((take) => take.spare)}::bigint[],
      p_quotas => ${sorted.map((take) => take.quota ?? null)}::bigint[],
      p_key_quotas => ${sorted.map((take) => take.keyQuota ?? null)}::bigint[])`.execute(db.kysely);
  const taken: RateGrant[] = new Array<RateGrant>(takes.length);
  for (const [position, index] of order.entries()) taken[index] = result.rows[position]!;
  return taken;
}

function compare(left: RateRequest, right: RateRequest): number {
  const key = ({ organizationId, kind, keyId }: RateRequest): string => `${organizationId} ${kind} ${keyId}`;
  return key(left) < key(right) ? -1 : key(left) > key(right) ? 1 : 0;
}

/** Deletes windows that started more than a day ago (index rate_windows_by_start). Returns how many. */
export async function purgeRateWindows(db: Database, limit: number): Promise<number> {
  const result = await sql`delete from rate_windows where (organization_id, key_id, kind) in (
    select organization_id, key_id, kind from rate_windows where started_at < clock_timestamp() - interval '1 day'
    order by started_at limit ${limit} for update skip locked)`.execute(db.kysely);
  return Number(result.numAffectedRows ?? 0);
}
