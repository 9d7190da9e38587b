// Agents and their active versions.

import { sql, type Selection } from "kysely";
import type { Database } from "../../database.ts";
import type { DB } from "../../generated/schema.ts";
import { listNewestFirst, type ListPage, type Page } from "../context/page.ts";
import { isUniqueViolation } from "../context/violations.ts";

const columns = ["id", "name", "active_version_id as activeVersionId", "created_at as createdAt"] as const;

export interface AgentRow extends Readonly<Selection<DB, "agents", (typeof columns)[number]>> {
  readonly description: string | null;
}

/** What the manifest of an agent's active version says about it (primary key of versions). */
function descriptionOf(agents: "agents" | "a") {
  const versionId = sql.ref(`${agents}.active_version_id`);
  return sql<string | null>`(select v.manifest ->> 'description' from versions v where v.id = ${versionId})`.as(
    "description",
  );
}

/** Finds an agent by primary key. Does not find deleted agents. */
export async function findAgent(db: Database, organizationId: string, agentId: string): Promise<AgentRow | undefined> {
  return db.kysely
    .selectFrom("agents")
    .where("id", "=", agentId)
    .where("organization_id", "=", organizationId)
    .where("deleted_at", "is", null)
    .select([...columns, descriptionOf("agents")])
    .executeTakeFirst();
}

/** Returns the ids of the live agents with these names, by name (unique index agents_by_name). */
export async function findAgentIdsByName(
  db: Database,
  organizationId: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await db.kysely
    .selectFrom("agents")
    .where("organization_id", "=", organizationId)
    .where("name", "in", names)
    .where("deleted_at", "is", null)
    .select(["name", "id"])
    .execute();
  return new Map(rows.map(({ name, id }) => [name, id]));
}

/** An agent with what the manifest of its active version says about it. */
export interface DescribedAgentRow {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
}

/** Lists the live agents with these ids or names, in any order (primary keys; unique index agents_by_name). */
export async function listDescribedAgents(
  db: Database,
  organizationId: string,
  { ids, names }: { readonly ids: readonly string[]; readonly names: readonly string[] },
): Promise<readonly DescribedAgentRow[]> {
  const result = await sql<DescribedAgentRow>`
    select a.id, a.name, v.manifest ->> 'description' as description
    from agents a left join versions v on v.id = a.active_version_id
    where a.organization_id = ${organizationId} and a.deleted_at is null
      and (a.id = any (${[...ids]}::text[]) or a.name = any (${[...names]}::text[]))`.execute(db.kysely);
  return result.rows;
}

/** Lists agents, newest first (index agents_by_organization). */
export function listAgents(db: Database, organizationId: string, page: Page): Promise<ListPage<AgentRow> | undefined> {
  const query = db.kysely
    .selectFrom("agents")
    .where("organization_id", "=", organizationId)
    .where("deleted_at", "is", null)
    .select([...columns, descriptionOf("agents")]);
  return listNewestFirst(db, { table: "agents", organizationId, page }, query);
}

/**
 * Renames a live agent. Returns undefined if there is none. `name_taken`: another live agent has the name; the unique
 * index agents_by_name decides, so the transaction can only be rolled back.
 */
export async function renameAgentIfLive(
  db: Database,
  organizationId: string,
  agentId: string,
  name: string,
): Promise<{ readonly agent: AgentRow; readonly before: string } | "name_taken" | undefined> {
  try {
    const row = await db.kysely
      .with("old", (cte) =>
        cte
          .selectFrom("agents")
          .where("id", "=", agentId)
          .where("organization_id", "=", organizationId)
          .where("deleted_at", "is", null)
          .select(["id", "name"])
          .forNoKeyUpdate(),
      )
      .updateTable("agents as a")
      .from("old")
      .set({ name })
      .whereRef("a.id", "=", "old.id")
      .returning(["a.id", "a.name", "a.active_version_id as activeVersionId", "a.created_at as createdAt"])
      .returning(descriptionOf("a"))
      .returning("old.name as before")
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const { before, ...agent } = row;
    return { agent, before };
  } catch (error) {
    if (isUniqueViolation(error)) return "name_taken";
    throw error;
  }
}

/** Returns false if there is no such agent, or it was deleted before. Its sessions continue. */
export async function softDeleteAgentIfLive(db: Database, organizationId: string, agentId: string): Promise<boolean> {
  const result = await db.kysely
    .updateTable("agents")
    .set({ deleted_at: sql<Date>`clock_timestamp()` })
    .where("id", "=", agentId)
    .where("organization_id", "=", organizationId)
    .where("deleted_at", "is", null)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/**
 * Activates a ready version of the agent, and keeps all versions published so far from activating themselves later: a
 * person has chosen. Returns undefined if the agent is gone or has no such ready version. One conditional update; the
 * agent's row lock orders it with `finish_build`.
 */
export async function activateVersionIfReady(
  db: Database,
  organizationId: string,
  agentId: string,
  versionId: string,
): Promise<AgentRow | undefined> {
  return (
    db.kysely
      .updateTable("agents as a")
      // Locked, so that a version that is being purged counts as missing and does not violate the foreign key.
      .from((eb) => eb.selectFrom("versions").selectAll().where("id", "=", versionId).forKeyShare().as("v"))
      .set({
        active_version_id: (eb) => eb.ref("v.id"),
        activation_floor: sql<number>`a.next_version_number - 1`,
      })
      .where("a.id", "=", agentId)
      .where("a.organization_id", "=", organizationId)
      .where("a.deleted_at", "is", null)
      .whereRef("v.agent_id", "=", "a.id")
      .where("v.state", "=", "ready")
      .returning(["a.id", "a.name", "a.active_version_id as activeVersionId", "a.created_at as createdAt"])
      .returning(descriptionOf("a"))
      .executeTakeFirst()
  );
}
