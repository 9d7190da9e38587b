// Shows operators' price lists of models.

import type { ModelPriceRecord, PriceList } from "@dari/contract";
import type { Control } from "@dari/control/context";
import { modelPrices, type ModelPrice } from "@dari/db";
import { microPerDollar, requireFound } from "@dari/domain";
import { requireDate } from "./require-date.ts";

/** `validFrom`: the list's date (default: the list in force today). @throws AppError `invalid`, `not_found` */
export async function getPriceList(control: Control, validFrom: string | undefined): Promise<PriceList> {
  if (validFrom !== undefined) requireDate(validFrom);
  const lists = await modelPrices.listPriceLists(control.db);
  const shown = lists.find((list) => (validFrom === undefined ? list.isInForce : list.validFrom === validFrom));
  if (validFrom !== undefined) requireFound(shown, "price list");
  const prices = shown === undefined ? [] : await modelPrices.listPrices(control.db, shown.validFrom);
  return {
    valid_from: shown?.validFrom ?? null,
    prices: prices.map(renderPrice),
    lists: lists.map((list) => ({
      valid_from: list.validFrom,
      prices: list.prices,
      is_in_force: list.isInForce,
    })),
  };
}

function renderPrice({ host, model, input, cachedInput, cacheWrite, output }: ModelPrice): ModelPriceRecord {
  return {
    host,
    model,
    usd_per_million_tokens: {
      input: input / microPerDollar,
      ...(cachedInput === null ? {} : { cached_input: cachedInput / microPerDollar }),
      ...(cacheWrite === null ? {} : { cache_write: cacheWrite / microPerDollar }),
      output: output / microPerDollar,
    },
  };
}
