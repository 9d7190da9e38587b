// Counts attempts of an address or a person in the current window. The only count is in the rows.

import { sql } from "kysely";
import type { Database } from "../../database.ts";

export interface TryCount {
  readonly used: number;
  /** Seconds until the window ends. */
  readonly resetSeconds: number;
}

/** Counts one attempt. A window begins with the first attempt after the previous one has ended (primary key). */
export async function countTry(
  db: Database,
  attempt: { readonly kind: string; readonly subject: string; readonly windowSeconds: number },
): Promise<TryCount> {
  const { kind, subject, windowSeconds } = attempt;
  const length = sql`${windowSeconds} * interval '1 second'`;
  const result = await sql<TryCount>`
    insert into sign_in_tries as t (kind, subject, started_at, used) values (${kind}, ${subject}, clock_timestamp(), 1)
    on conflict (kind, subject) do update set
      started_at = case when t.started_at + ${length} <= clock_timestamp() then clock_timestamp() else t.started_at end,
      used = case when t.started_at + ${length} <= clock_timestamp() then 1 else least(t.used, 1000000) + 1 end
    returning t.used, greatest(1, ceil(extract(epoch from t.started_at + ${length} - clock_timestamp())))::int
      as "resetSeconds"`.execute(db.kysely);
  return result.rows[0]!;
}

/** Deletes windows that started more than a day ago (index sign_in_tries_by_start). Returns how many. */
export async function purgeTries(db: Database, limit: number): Promise<number> {
  const result = await sql`delete from sign_in_tries where (kind, subject) in (
    select kind, subject from sign_in_tries where started_at < clock_timestamp() - interval '1 day'
    order by started_at limit ${limit} for update skip locked)`.execute(db.kysely);
  return Number(result.numAffectedRows ?? 0);
}
