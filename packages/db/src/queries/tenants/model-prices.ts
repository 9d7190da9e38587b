// Operators' price lists: what models cost from a date on. The function `model_cost` applies them.

import { sql } from "kysely";
import { withTransaction, type Database } from "../../database.ts";
import { toJsonb } from "../../jsonb.ts";

/** Prices are micro-dollars for a million tokens. */
export interface ModelPrice {
  readonly host: string;
  readonly model: string;
  readonly input: number;
  /** Null: as for other input, as is `cacheWrite`. */
  readonly cachedInput: number | null;
  readonly cacheWrite: number | null;
  readonly output: number;
}

const dateInForce = sql`(
  select max(valid_from) from model_prices where valid_from <= (current_timestamp at time zone 'UTC')::date)`;

export type PutPriceListResult =
  | {
      readonly outcome: "put";
      /** How many prices the date had before. */
      readonly replaced: number;
      /** Prices of the list before this date whose host and model the new list does not have. */
      readonly missing: readonly Pick<ModelPrice, "host" | "model">[];
      /** The date of the list that is in force now; null if none is. */
      readonly inForce: string | null;
    }
  | { readonly outcome: "full" };

/**
 * Replaces the prices of a date. An empty list removes them. Refuses a new date if there are `datesMax` others. Calls
 * run one after the other, so the prices of a date always come from one call.
 */
export async function putPriceListIfBelow(
  db: Database,
  validFrom: string,
  prices: readonly ModelPrice[],
  datesMax: number,
): Promise<PutPriceListResult> {
  return withTransaction(db, async (tx) => {
    await sql`select pg_advisory_xact_lock(hashtext('dari model prices'))`.execute(tx);
    const { rows } = await sql<{ others: number }>`select count(distinct valid_from)::int as others
      from model_prices where valid_from <> ${validFrom}::date`.execute(tx);
    if (prices.length > 0 && rows[0]!.others >= datesMax) return { outcome: "full" };
    const removed = await sql`delete from model_prices where valid_from = ${validFrom}::date`.execute(tx);
    if (prices.length > 0) {
      await sql`insert into model_prices (valid_from, host, model, input_price, cached_input_price, cache_write_price,
          output_price)
        select ${validFrom}::date, p.host, p.model, p.input, p."cachedInput", p."cacheWrite", p.output
        from jsonb_to_recordset(${toJsonb(prices)}) as p (host text, model text, input bigint, "cachedInput" bigint,
          "cacheWrite" bigint, output bigint)`.execute(tx);
    }
    const missing = await sql<{ host: string; model: string }>`select p.host, p.model from model_prices p
      where ${prices.length > 0} and p.valid_from = (
          select max(valid_from) from model_prices where valid_from < ${validFrom}::date)
        and not exists (select 1 from model_prices n where n.valid_from = ${validFrom}::date
          and n.host = p.host and n.model = p.model)
      order by p.host, p.model`.execute(tx);
    const now = await sql<{ inForce: string | null }>`
      select to_char(${dateInForce}, 'YYYY-MM-DD') as "inForce"`.execute(tx);
    const replaced = Number(removed.numAffectedRows ?? 0);
    return { outcome: "put", replaced, missing: missing.rows, inForce: now.rows[0]!.inForce };
  });
}

export interface PriceListSummary {
  readonly validFrom: string;
  readonly prices: number;
  /** Whether requests are priced by this list now. */
  readonly isInForce: boolean;
}

/** Lists the dates that have prices, the latest first. */
export async function listPriceLists(db: Database): Promise<PriceListSummary[]> {
  const { rows } = await sql<PriceListSummary>`
    select to_char(valid_from, 'YYYY-MM-DD') as "validFrom", count(*)::int as prices, valid_from = ${dateInForce}
      is true as "isInForce"
    from model_prices group by valid_from order by model_prices.valid_from desc`.execute(db.kysely);
  return rows;
}

/** Lists the prices of a date, by host and model (primary key). */
export async function listPrices(db: Database, validFrom: string): Promise<ModelPrice[]> {
  const { rows } = await sql<ModelPrice>`
    select host, model, input_price as input, cached_input_price as "cachedInput",
      cache_write_price as "cacheWrite", output_price as output
    from model_prices where valid_from = ${validFrom}::date order by host, model`.execute(db.kysely);
  return rows;
}
