// The cost of statements, from pg_stat_statements, which the server must load at its start.

import type { Database } from "@dari/db";

/** Returns the most expensive statements, also those inside functions, per turn. */
export async function listCostliestStatements(db: Database, turns: number): Promise<Record<string, unknown>[]> {
  const { rows } = await db.pool.query<Record<string, unknown>>(
    `select round(calls / $1::numeric, 3) as calls_per_turn, round((total_exec_time / $1)::numeric, 4) as ms_per_turn,
      round((total_plan_time / $1)::numeric, 4) as plan_ms_per_turn, round(plans / $1::numeric, 3) as plans_per_turn,
      round((shared_blks_hit + shared_blks_read) / greatest(calls, 1)::numeric, 1) as blocks, toplevel, query
    from public.pg_stat_statements order by total_exec_time + total_plan_time desc limit 100`,
    [turns],
  );
  return rows;
}
