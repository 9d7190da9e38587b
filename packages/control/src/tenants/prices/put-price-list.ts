// Replaces operators' price lists of models.

import type { ModelPriceRecord, PutPriceListReply, PutPriceListRequest } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { modelPrices, type ModelPrice } from "@dari/db";
import { AppError, invalidField, microPerDollar, priceLimits } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { requireDate } from "./require-date.ts";

/**
 * Replaces all prices of a date, for all organizations. A repeated call changes nothing. @throws AppError `invalid`;
 * `conflict` if there are too many dates
 */
export async function putPriceList(
  control: Control,
  actor: Actor,
  { valid_from: validFrom, prices }: PutPriceListRequest,
): Promise<PutPriceListReply> {
  requireDate(validFrom);
  refuseDuplicates(prices);
  const rows = prices.map(toRow);
  const put = await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const result = await modelPrices.putPriceListIfBelow(inside.db, validFrom, rows, priceLimits.lists);
      if (result.outcome === "full") throw tooMany();
      return result;
    },
    ({ replaced }) => ({ action: "prices.put", target: validFrom, details: { prices: rows.length, replaced } }),
  );
  const { replaced, missing, inForce } = put;
  return { valid_from: validFrom, prices: rows.length, replaced, missing: [...missing], in_force: inForce };
}

function tooMany(): AppError {
  const advice = "remove one by importing its date with an empty list of prices";
  return new AppError("conflict", `limit reached: ${priceLimits.lists} price lists; ${advice}`);
}

function refuseDuplicates(prices: readonly ModelPriceRecord[]): void {
  const places = new Map<string, number>();
  for (const [index, { host, model }] of prices.entries()) {
    // A host has no blanks.
    const key = `${host} ${model}`;
    const first = places.get(key);
    if (first !== undefined) {
      throw invalidField(`prices[${index}]`, `expected another host or model than prices[${first}] (${key})`);
    }
    places.set(key, index);
  }
}

function toRow({ host, model, usd_per_million_tokens: usd }: ModelPriceRecord, index: number): ModelPrice {
  const path = `prices[${index}].usd_per_million_tokens`;
  const micro = (name: keyof typeof usd): number | null => {
    const amount = usd[name];
    return amount === undefined ? null : toMicro(`${path}.${name}`, amount);
  };
  return {
    host,
    model,
    input: toMicro(`${path}.input`, usd.input),
    cachedInput: micro("cached_input"),
    cacheWrite: micro("cache_write"),
    output: toMicro(`${path}.output`, usd.output),
  };
}

/** Returns the amount as an integer, which is exact up to the maximum price. */
function toMicro(path: string, amount: number): number {
  const micro = Math.round(amount * microPerDollar);
  if (micro / microPerDollar !== amount) throw invalidField(path, `expected at most six decimals, not ${amount}`);
  return micro;
}
