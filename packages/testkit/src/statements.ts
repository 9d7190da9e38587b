// What statements cost, from pg_stat_statements, which a server has to be started with. Names none of the statements.

import type { Database } from "@dari/db";

export interface StatementCost {
  readonly calls: number;
  /** Pages touched per call. */
  readonly blocks: number;
  readonly ms: number;
}

export async function resetStatements(db: Database): Promise<void> {
  await db.pool.query("select public.pg_stat_statements_reset()");
}

/** Returns the cost of all top-level statements that contain `text`, since the last reset. */
export async function statementCost(db: Database, text: string): Promise<StatementCost> {
  const { rows } = await db.pool.query<StatementCost>(
    `select coalesce(sum(calls), 0)::int as calls,
      coalesce(sum(shared_blks_hit + shared_blks_read) / sum(calls), 0)::float8 as blocks,
      coalesce(sum(total_exec_time) / sum(calls), 0)::float8 as ms
    from public.pg_stat_statements where toplevel and position($1 in query) > 0
       and query not like '%pg_stat_statements%'`,
    [text],
  );
  return rows[0] ?? { calls: 0, blocks: 0, ms: 0 };
}

/** The dearest statements, also those inside functions, shared over `turns`. */
export async function dearestStatements(db: Database, turns: number): Promise<Record<string, unknown>[]> {
  const { rows } = await db.pool.query<Record<string, unknown>>(
    `select round(calls / $1::numeric, 3) as calls_per_turn, round((total_exec_time / $1)::numeric, 4) as ms_per_turn,
      round((total_plan_time / $1)::numeric, 4) as plan_ms_per_turn, round(plans / $1::numeric, 3) as plans_per_turn,
      round((shared_blks_hit + shared_blks_read) / greatest(calls, 1)::numeric, 1) as blocks, toplevel, query
    from public.pg_stat_statements order by total_exec_time + total_plan_time desc limit 100`,
    [turns],
  );
  return rows;
}
