// Versions: one bundle, its manifest and its build. Publication numbers them; for builds, see builds.ts.

import type { Failure, VersionState } from "@dari/domain";
import { sql, type Transaction } from "kysely";
import { withTransaction, type Database } from "../../database.ts";
import type { DB } from "../../generated/schema.ts";
import { limitPageBytes, toPage, type ListPage, type Page } from "../context/page.ts";
import { organizationWithinQuota } from "../tenants/quotas.ts";

export interface VersionRow {
  readonly id: string;
  readonly agentId: string;
  readonly number: number;
  readonly state: VersionState;
  readonly active: boolean;
  readonly sourceSnapshotId: string;
  /** Checksum and size of its bundle, as uploaded. */
  readonly archiveSha256: string;
  readonly archiveBytes: number;
  /** Metadata of its bundle, as uploaded. */
  readonly metadata: unknown;
  readonly manifest: unknown;
  readonly image: unknown;
  readonly failure: Failure | null;
  readonly warnings: readonly string[];
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

export interface NewVersion {
  readonly id: string;
  readonly organizationId: string;
  readonly agentId: string;
  readonly sourceSnapshotId: string;
  readonly manifest: unknown;
  readonly warnings: readonly string[];
  /** Whether it becomes active when it is ready (default: true). */
  readonly activatesItself?: boolean;
}

/** `snapshot_gone`: the bundle is not ready, or was just deleted. */
export type Publication<Done> = Done | "agent_gone" | "snapshot_gone";

export interface NewAgent {
  readonly name: string;
  /** If another agent has the name: true numbers this one's, false inserts nothing. */
  readonly mayNumber: boolean;
}

/**
 * Inserts an agent with its first version, in one transaction. Of two at the same time with the same new name, the
 * unique index agents_by_name lets one win.
 */
export async function insertAgentWithVersion(
  db: Database,
  agent: NewAgent,
  version: NewVersion,
): Promise<Publication<{ name: string; createdAt: Date }> | "name_taken"> {
  return withTransaction(db, async (tx) => {
    if (!(await holdReadySnapshot(tx, version))) return "snapshot_gone";
    // Only a concurrent insert of the same name makes a numbered insert fail. The next one sees that agent's row.
    for (let left = agent.mayNumber ? numberAttempts : 1; left > 0; left--) {
      const row = await insertAgent(tx, agent, version);
      if (row === undefined) continue;
      await insertVersion(tx, version, 1);
      return row;
    }
    return "name_taken";
  });
}

const numberAttempts = 5;

/** Returns undefined if the name is taken. The trigger number_agent_name numbers it then; that row is deleted again. */
async function insertAgent(tx: Transaction<DB>, { name, mayNumber }: NewAgent, version: NewVersion) {
  const inserted = await tx
    .insertInto("agents")
    .values({
      id: version.agentId,
      organization_id: organizationWithinQuota(version.organizationId, "agents", 1),
      name,
      next_version_number: 2,
    })
    .onConflict((on) => on.columns(["organization_id", "name"]).where("deleted_at", "is", null).doNothing())
    .returning(["name", "created_at as createdAt"])
    .executeTakeFirst();
  if (inserted === undefined || mayNumber || inserted.name === name) return inserted;
  await tx.deleteFrom("agents").where("id", "=", version.agentId).execute();
  return undefined;
}

/**
 * Inserts the next version of a live agent. Its number comes from one conditional update of the agent's row. If
 * `onlyIfChanged` and the agent's current version is the same, inserts nothing and returns that version's id.
 */
export async function insertVersionIfAgentLive(
  db: Database,
  version: NewVersion,
  { onlyIfChanged = false }: { readonly onlyIfChanged?: boolean } = {},
): Promise<Publication<{ number: number } | { sameAs: string }>> {
  return withTransaction(db, async (tx) => {
    if (!(await holdReadySnapshot(tx, version))) return "snapshot_gone";
    const same = selectSameVersion(version);
    // The next statement sees the version of a publish that this one waited for.
    if (onlyIfChanged) await sql`select 1 from agents where id = ${version.agentId} for no key update`.execute(tx);
    const row = await tx
      .updateTable("agents as a")
      .set({ next_version_number: sql<number>`next_version_number + 1` })
      .where("a.id", "=", version.agentId)
      .where("a.organization_id", "=", version.organizationId)
      .where("a.deleted_at", "is", null)
      .$if(onlyIfChanged, (query) => query.where(sql<boolean>`not exists (${same})`))
      .returning(sql<number>`next_version_number - 1`.as("number"))
      .executeTakeFirst();
    if (row !== undefined) {
      await insertVersion(tx, version, row.number);
      return row;
    }
    if (!onlyIfChanged) return "agent_gone";
    const { rows } = await sql<{ id: string }>`select same.id from agents a cross join lateral (${same}) same
      where a.id = ${version.agentId} and a.organization_id = ${version.organizationId}
        and a.deleted_at is null`.execute(tx);
    return rows[0] === undefined ? "agent_gone" : { sameAs: rows[0].id };
  });
}

/**
 * Selects the version of agent `a` that is active, or that is being built and will be, if it has the new version's
 * bundle and manifest.
 */
function selectSameVersion({ sourceSnapshotId, manifest }: NewVersion) {
  return sql`select current.id from (
      select v.id, v.source_snapshot_id, v.manifest from versions v
      where v.agent_id = a.id and (v.id = a.active_version_id
        or (v.state = 'building' and v.activates_itself and v.number > a.activation_floor))
      order by v.number desc limit 1) current
    join source_snapshots before on before.id = current.source_snapshot_id
    join source_snapshots next on next.id = ${sourceSnapshotId}
    where before.sha256 = next.sha256 and current.manifest = ${JSON.stringify(manifest)}::jsonb`;
}

/** Locks the bundle against deletion until the version refers to it. */
async function holdReadySnapshot(tx: Transaction<DB>, version: NewVersion): Promise<boolean> {
  const row = await tx
    .selectFrom("source_snapshots")
    .where("id", "=", version.sourceSnapshotId)
    .where("organization_id", "=", version.organizationId)
    .where("state", "=", "ready")
    .select("id")
    .forKeyShare()
    .executeTakeFirst();
  return row !== undefined;
}

async function insertVersion(tx: Transaction<DB>, version: NewVersion, number: number): Promise<void> {
  await tx
    .insertInto("versions")
    .values({
      id: version.id,
      organization_id: version.organizationId,
      agent_id: version.agentId,
      number,
      source_snapshot_id: version.sourceSnapshotId,
      manifest: JSON.stringify(version.manifest),
      warnings: JSON.stringify(version.warnings),
      activates_itself: version.activatesItself ?? true,
    })
    .execute();
}

function selectVersions(db: Database, organizationId: string) {
  return db.kysely
    .selectFrom("versions as v")
    .innerJoin("agents as a", "a.id", "v.agent_id")
    .innerJoin("source_snapshots as b", "b.id", "v.source_snapshot_id")
    .where("v.organization_id", "=", organizationId)
    .select([
      "v.id",
      "v.agent_id as agentId",
      "v.number",
      "v.state",
      "v.source_snapshot_id as sourceSnapshotId",
      "b.sha256 as archiveSha256",
      "b.metadata",
      "b.size_bytes as archiveBytes",
      "v.manifest",
      "v.image",
      "v.created_at as createdAt",
      "v.finished_at as finishedAt",
    ])
    .select(sql<boolean>`v.id is not distinct from a.active_version_id`.as("active"))
    .select(sql<Failure | null>`v.failure`.as("failure"))
    .select(sql<string[]>`v.warnings`.as("warnings"));
}

/** Finds a version by primary key. */
export async function findVersion(
  db: Database,
  organizationId: string,
  versionId: string,
): Promise<VersionRow | undefined> {
  return selectVersions(db, organizationId).where("v.id", "=", versionId).executeTakeFirst();
}

/**
 * Lists an agent's versions, newest first (unique index on agent_id, number). A large page has at most
 * `limits.pageBytes`.
 */
export async function listVersions(
  db: Database,
  organizationId: string,
  agentId: string,
  page: Page,
): Promise<ListPage<VersionRow> | undefined> {
  let query = selectVersions(db, organizationId).where("v.agent_id", "=", agentId);
  if (page.after !== undefined) {
    const cursor = await query.where("v.id", "=", page.after).executeTakeFirst();
    if (cursor === undefined) return undefined;
    query = query.where("v.number", "<", cursor.number);
  }
  const ordered = query.orderBy("v.number", "desc");
  const size = sql<number>`octet_length(v.manifest::text)`.as("bytes");
  const fitting = await limitPageBytes(page, (limit) => ordered.clearSelect().select(size).limit(limit).execute());
  return toPage(await ordered.limit(fitting.limit + 1).execute(), fitting);
}
