// Builds of versions, each under a lease (partial index versions_building).

import type { Failure } from "@dari/domain";
import { sql } from "kysely";
import type { Database } from "../../database.ts";

export interface BuildClaim {
  readonly versionId: string;
  readonly fence: number;
}

/** Claims the longest-waiting build, past locked ones (SKIP LOCKED). `except`: organizations. */
export async function claimBuildIfAny(
  db: Database,
  workerId: string,
  o: { readonly leaseMs: number; readonly lossesMax: number; readonly except?: readonly string[] },
): Promise<BuildClaim | undefined> {
  const result = await sql<BuildClaim>`select version_id as "versionId", build_fence as fence
    from claim_build(p_worker => ${workerId}, p_lease_ms => ${o.leaseMs}, p_losses_max => ${o.lossesMax},
      p_except => ${o.except ?? []}::text[])`.execute(db.kysely);
  return result.rows[0];
}

/** Renews a build's lease. Returns false once another worker has it. */
export async function renewBuildIfHeld(db: Database, claim: BuildClaim, leaseMs: number): Promise<boolean> {
  const result = await db.kysely
    .updateTable("versions")
    .set({ build_lease_until: sql<Date>`clock_timestamp() + ${leaseMs} * interval '1 millisecond'` })
    .where("id", "=", claim.versionId)
    .where("build_fence", "=", claim.fence)
    .where("state", "=", "building")
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** Releases a build: at shutdown, or after `waitMs` if the platform failed to run it, which counts as a loss. */
export async function releaseBuildIfHeld(db: Database, claim: BuildClaim, failed?: { waitMs: number }): Promise<void> {
  const until =
    failed === undefined ? null : sql<Date>`clock_timestamp() + ${failed.waitMs} * interval '1 millisecond'`;
  await db.kysely
    .updateTable("versions")
    .set({ build_lease_until: until })
    .where("id", "=", claim.versionId)
    .where("build_fence", "=", claim.fence)
    .where("state", "=", "building")
    .execute();
}

/** Fails versions whose builds were lost this often. Returns how many. */
export async function failLostBuilds(db: Database, lossesMax: number): Promise<number> {
  const result = await sql<{ count: number }>`select fail_lost_builds(${lossesMax}) as count`.execute(db.kysely);
  return result.rows[0]?.count ?? 0;
}

export interface BuildJob {
  readonly organizationId: string;
  readonly agentId: string;
  readonly manifest: unknown;
  readonly bundleKey: string;
  readonly bundleSha256: string;
}

export async function getBuildJob(db: Database, versionId: string): Promise<BuildJob> {
  return db.kysely
    .selectFrom("versions as v")
    .innerJoin("source_snapshots as s", "s.id", "v.source_snapshot_id")
    .where("v.id", "=", versionId)
    .select([
      "v.organization_id as organizationId",
      "v.agent_id as agentId",
      "v.manifest",
      "s.object_key as bundleKey",
      "s.sha256 as bundleSha256",
    ])
    .executeTakeFirstOrThrow();
}

/** Records a build's end, and activates the version if the activation rule allows it. Returns false once superseded. */
export async function finishBuildIfHeld(
  db: Database,
  claim: BuildClaim,
  result: { image?: unknown; failure?: Failure; warnings: readonly string[] },
): Promise<boolean> {
  const image = result.image === undefined ? null : JSON.stringify(result.image);
  const failure = result.failure === undefined ? null : JSON.stringify(result.failure);
  const rows = await sql<{ held: boolean }>`select finish_build(p_version => ${claim.versionId},
    p_fence => ${claim.fence}, p_image => ${image}::jsonb, p_failure => ${failure}::jsonb,
    p_warnings => ${JSON.stringify(result.warnings)}::jsonb) as held`.execute(db.kysely);
  return rows.rows[0]?.held ?? false;
}

/** Appends to a build's log while the build is held. Numbers continue over several attempts of a build. */
export async function appendBuildLogIfHeld(db: Database, claim: BuildClaim, text: string): Promise<void> {
  await sql`
    insert into build_logs (version_id, organization_id, sequence_number, text)
    select v.id, v.organization_id,
      coalesce((select max(l.sequence_number) from build_logs l where l.version_id = v.id), 0) + 1,
      ${text.replaceAll("\0", "\u2400")}
    from versions v where v.id = ${claim.versionId} and v.build_fence = ${claim.fence}`.execute(db.kysely);
}
