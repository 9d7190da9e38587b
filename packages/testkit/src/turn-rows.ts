// Reads rows of turns for measurements: how many a turn has written, how long it waited.

import type { Database } from "@dari/db";

const tables = ["messages", "attempts", "events", "snapshots", "attempt_logs"] as const;

/** Returns rows of each table per turn, from a database in which only `turns` have written them. */
export async function countTurnRows(db: Database, turns: number): Promise<Record<string, number>> {
  const counts = tables.map((table) => {
    // The event of a session's creation belongs to no turn.
    const where = table === "events" ? "where type <> 'session.created'" : "";
    return `(select count(*)::int from dari.${table} ${where}) as ${table}`;
  });
  const { rows } = await db.pool.query<Record<string, number>>(`select ${counts.join(", ")}`);
  const perTurn = (count: number): number => Math.round((count / turns) * 1_000) / 1_000;
  return Object.fromEntries(Object.entries(rows[0] ?? {}).map(([table, count]) => [table, perTurn(count)]));
}

/** Returns how many messages of each organization have ended. */
export async function countEndedMessages(db: Database): Promise<Map<string, number>> {
  const { rows } = await db.pool.query<{ id: string; n: number }>(
    `select organization_id as id, count(*)::int as n from dari.messages where completed_at is not null group by 1`,
  );
  return new Map(rows.map((row) => [row.id, row.n]));
}

/** Returns how long the messages of these organizations waited from acceptance to their first start. Milliseconds. */
export async function listWaits(db: Database, organizationIds: readonly string[]): Promise<number[]> {
  const { rows } = await db.pool.query<{ ms: number }>(
    `select (extract(epoch from started_at - created_at) * 1000)::float8 as ms from dari.messages
    where organization_id = any ($1) and started_at is not null`,
    [organizationIds],
  );
  return rows.map((row) => row.ms);
}

export async function setTestWeight(db: Database, organizationId: string, weight: number): Promise<void> {
  await db.pool.query("update dari.organizations set weight = $2 where id = $1", [organizationId, weight]);
}
