// Layers of installed dependencies: built by one holder at a time under a lease, used by all builds of the
// organization.

import { sql } from "kysely";
import type { Database } from "../../database.ts";

export interface DependencyLayerClaimant {
  readonly organizationId: string;
  readonly key: string;
  /** Random; identifies the holder. */
  readonly holder: string;
}

export type DependencyLayerClaim = { readonly layer: unknown } | "claimed" | "held";

/**
 * Returns the layer, or the right to build it for `leaseMs` if there is neither a layer nor a holder with a running
 * lease. One statement on one row (primary key), so that of any simultaneous callers only one gets `claimed`.
 */
export async function claimLayerIfMissing(
  db: Database,
  place: DependencyLayerClaimant,
  leaseMs: number,
): Promise<DependencyLayerClaim> {
  const { organizationId, key, holder } = place;
  const result = await sql<{ layer: unknown; held: boolean }>`
    insert into dependency_layers as l (organization_id, key, holder, lease_until)
    values (${organizationId}, ${key}, ${holder}, clock_timestamp() + ${leaseMs} * interval '1 millisecond')
    on conflict (organization_id, key) do update set used_at = clock_timestamp(),
      holder = case when l.layer is null and (l.lease_until is null or l.lease_until < clock_timestamp())
        then excluded.holder else l.holder end,
      lease_until = case when l.layer is null and (l.lease_until is null or l.lease_until < clock_timestamp())
        then excluded.lease_until else l.lease_until end
    returning layer, holder = ${holder} as held`.execute(db.kysely);
  const row = result.rows[0]!;
  if (row.layer !== null) return { layer: row.layer };
  return row.held ? "claimed" : "held";
}

/** Returns false once another build has it, because the lease expired. */
export async function renewLayerIfHeld(
  db: Database,
  place: DependencyLayerClaimant,
  leaseMs: number,
): Promise<boolean> {
  const result = await held(db, place)
    .set({ lease_until: sql<Date>`clock_timestamp() + ${leaseMs} * interval '1 millisecond'` })
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** Lets the next build install it. */
export async function releaseLayerIfHeld(db: Database, place: DependencyLayerClaimant): Promise<void> {
  await held(db, place).set({ lease_until: null, holder: null }).execute();
}

/** Makes the layer available to all builds. Returns false once another build has the lease; its layer is as good. */
export async function finishLayerIfHeld(
  db: Database,
  place: DependencyLayerClaimant,
  layer: unknown,
): Promise<boolean> {
  const result = await held(db, place)
    .set({ layer: JSON.stringify(layer), holder: null, lease_until: null })
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/**
 * Deletes layers that no build has used for `unusedMs`, and those of deleted organizations (index
 * dependency_layers_by_use). Images that need one keep its object.
 */
export async function purgeLayers(db: Database, unusedMs: number, limit: number): Promise<number> {
  const result = await sql`
    delete from dependency_layers where (organization_id, key) in (
      select l.organization_id, l.key from dependency_layers l
      where (l.used_at < clock_timestamp() - ${unusedMs} * interval '1 millisecond' or exists (
          select 1 from organizations o where o.id = l.organization_id and o.deleted_at is not null))
        and (l.lease_until is null or l.lease_until < clock_timestamp())
      order by l.used_at limit ${limit} for update skip locked)`.execute(db.kysely);
  return Number(result.numAffectedRows ?? 0);
}

function held(db: Database, { organizationId, key, holder }: DependencyLayerClaimant) {
  return db.kysely
    .updateTable("dependency_layers")
    .where("organization_id", "=", organizationId)
    .where("key", "=", key)
    .where("holder", "=", holder);
}
