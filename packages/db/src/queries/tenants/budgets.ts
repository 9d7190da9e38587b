// Limits on what turns use, and the stop of all turns. The functions that end attempts write the usage.

import { sql, type InferResult } from "kysely";
import { withTransaction, type Database } from "../../database.ts";
import { listNewestFirst, type ListPage, type Page } from "../context/page.ts";

export interface NewBudget {
  readonly id: string;
  readonly organizationId: string;
  readonly scope: "organization" | "agent" | "session";
  readonly targetId: string;
  readonly period: "day" | "month" | "total";
  readonly setBy: "organization" | "operator";
  readonly maxTurns: number | null;
  readonly maxTurnSeconds: number | null;
  readonly maxTokens: number | null;
}

const isPast = sql<boolean>`b.period_started_at < period_start(b.period)`;

function used(column: "turns" | "turn_seconds" | "tokens") {
  return sql<number>`case when ${isPast} then 0 else ${sql.ref(`b.${column}`)} end`;
}

/** Selects budgets by the primary key of the budget or of its organization, and by the unique index. */
function selectBudgets(db: Database, organizationId: string) {
  return db.kysely
    .selectFrom("budgets as b")
    .where("b.organization_id", "=", organizationId)
    .select(["b.id", "b.scope", "b.target_id as targetId", "b.period", "b.set_by as setBy"])
    .select(["b.max_turns as maxTurns", "b.max_turn_seconds as maxTurnSeconds", "b.max_tokens as maxTokens"])
    .select([used("turns").as("turns"), used("turn_seconds").as("turnSeconds"), used("tokens").as("tokens")])
    .select([sql<boolean>`is_over(b)`.as("isOver"), "b.created_at as createdAt"]);
}

export type BudgetRow = Readonly<InferResult<ReturnType<typeof selectBudgets>>[number]>;

/** `full`: the organization, or the operators, have set the maximum number. */
export type PutBudgetResult =
  { readonly outcome: "put"; readonly id: string } | { readonly outcome: "no_target" | "full" };

/**
 * Sets a budget's limits and keeps its usage. Refuses a new one if the same role has set `max` others. Locks the
 * organization's row, so calls of one organization run one after the other (unique index).
 */
export async function putBudgetIfBelow(db: Database, budget: NewBudget, max: number): Promise<PutBudgetResult> {
  const { organizationId, scope, targetId, setBy } = budget;
  const there = {
    organization: sql`select 1 from organizations where id = ${targetId} and id = ${organizationId}
      and deleted_at is null`,
    agent: sql`select 1 from agents where id = ${targetId} and organization_id = ${organizationId}
      and deleted_at is null`,
    session: sql`select 1 from sessions where id = ${targetId} and organization_id = ${organizationId}
      and deleted_at is null`,
  }[scope];
  return withTransaction(db, async (tx) => {
    await sql`select 1 from organizations where id = ${organizationId} for no key update`.execute(tx);
    const result = await sql<{ isThere: boolean; isNew: boolean; others: number }>`
      select exists (${there}) as "isThere",
        count(*) filter (where scope = ${scope} and target_id = ${targetId} and period = ${budget.period}) = 0
          as "isNew",
        count(*)::int as others
      from budgets where organization_id = ${organizationId} and set_by = ${setBy}`.execute(tx);
    const { isThere, isNew, others } = result.rows[0]!;
    if (!isThere) return { outcome: "no_target" };
    if (isNew && others >= max) return { outcome: "full" };
    const put = await sql<{ id: string }>`
      insert into budgets (id, organization_id, scope, target_id, period, set_by, max_turns, max_turn_seconds,
          max_tokens, period_started_at)
        values (${budget.id}, ${organizationId}, ${scope}, ${targetId}, ${budget.period}, ${setBy},
          ${budget.maxTurns}::bigint, ${budget.maxTurnSeconds}::bigint, ${budget.maxTokens}::bigint,
          period_start(${budget.period}))
      on conflict (organization_id, scope, target_id, period, set_by) do update set max_turns = excluded.max_turns,
        max_turn_seconds = excluded.max_turn_seconds, max_tokens = excluded.max_tokens
      returning id`.execute(tx);
    return { outcome: "put", id: put.rows[0]!.id };
  });
}

/** Finds a budget by primary key. */
export async function findBudget(db: Database, organizationId: string, id: string): Promise<BudgetRow | undefined> {
  return selectBudgets(db, organizationId).where("b.id", "=", id).executeTakeFirst();
}

/** Lists budgets, newest first. */
export function listBudgets(
  db: Database,
  organizationId: string,
  page: Page,
): Promise<ListPage<BudgetRow> | undefined> {
  const query = selectBudgets(db, organizationId);
  return listNewestFirst(db, { table: "budgets", organizationId, page, id: "b.id" }, query);
}

/** `operators`: also deletes budgets that operators set. Returns false if there is no such budget. */
export async function deleteBudgetIfAllowed(
  db: Database,
  organizationId: string,
  id: string,
  operators: boolean,
): Promise<boolean> {
  const result = await sql`delete from budgets where id = ${id} and organization_id = ${organizationId}
    and (set_by = 'organization' or ${operators})`.execute(db.kysely);
  return result.numAffectedRows === 1n;
}

/** A held session; without `sessionId`, all held sessions of an agent. */
export interface HeldSessionKey {
  readonly organizationId: string;
  readonly agentId: string;
  readonly sessionId: string | null;
}

/**
 * Makes held sessions `ready` that nothing holds now (SKIP LOCKED, index sessions_held), in at most `looks` steps
 * after a place. `undefined`: all organizations, from the beginning. `next`: where to continue; undefined at the end.
 */
export async function resumeIfWithinBudget(
  db: Database,
  organizationId: string | undefined,
  after: HeldSessionKey | undefined,
  looks: number,
): Promise<{ released: HeldSessionKey[]; next: HeldSessionKey | undefined }> {
  const result = await sql<HeldSessionKey & { isReleased: boolean }>`
    select organization_id as "organizationId", agent_id as "agentId", session_id as "sessionId",
      is_released as "isReleased"
    from release_held_sessions(p_organization => ${organizationId ?? null},
      p_after_organization => ${after?.organizationId ?? null}, p_after_agent => ${after?.agentId ?? null},
      p_after_session => ${after?.sessionId ?? null}, p_looks => ${looks})`.execute(db.kysely);
  const released = result.rows.filter(({ isReleased }) => isReleased);
  return { released, next: result.rows.length < looks ? undefined : result.rows.at(-1) };
}

/** Returns the stop of all turns, if there is one. The table has at most one row. */
export async function findPlatformStop(db: Database): Promise<{ reason: string; stoppedAt: Date } | undefined> {
  return db.kysely.selectFrom("platform_stops").select(["reason", "stopped_at as stoppedAt"]).executeTakeFirst();
}

/**
 * Stops all turns. A repeated call replaces the reason. Waits for running claims, so that no turn begins after the
 * commit.
 */
export async function putPlatformStop(db: Database, reason: string): Promise<void> {
  await sql`select stop_turns(${reason})`.execute(db.kysely);
}

/** Returns false if turns were not stopped. */
export async function deletePlatformStop(db: Database): Promise<boolean> {
  return (await sql`delete from platform_stops`.execute(db.kysely)).numAffectedRows === 1n;
}
