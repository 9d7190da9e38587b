// Operators' price lists: what requests to models cost from a date on.

import { priceLimits, modelRequestLimits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { noOtherFields, nullable } from "./common.ts";

const decimals = "at most six decimals";

const amount = (description: string) => Type.Number({ minimum: 0, maximum: priceLimits.usdMax, description });

const perMillion = {
  input: amount(`Input that the provider neither read from its cache nor wrote to it; ${decimals}.`),
  cached_input: Type.Optional(amount("Input that the provider read from its cache (default: as `input`).")),
  cache_write: Type.Optional(amount("Input that the provider wrote to its cache (default: as `input`).")),
  output: amount("Output, including reasoning."),
};

const host = Type.String({
  pattern: "^(\\*|(\\*\\.)?[a-z0-9-]+(\\.[a-z0-9-]+)*)$",
  maxLength: priceLimits.hostChars,
  "x-expected": "a host in lower case without a port, '*.' and a domain for the hosts below it, or '*'",
  examples: ["api.openai.com"],
});

const model = Type.String({
  pattern: "^([!-)+-~]+\\*?|\\*)$",
  maxLength: modelRequestLimits.nameChars,
  "x-expected": "a model's name without blanks, or the beginning of one and '*'",
  examples: ["gpt-5-2*"],
});

const validFrom = Type.String({
  pattern: "^\\d{4}-\\d{2}-\\d{2}$",
  "x-expected": "a date such as 2026-11-30",
  description: "The first day (UTC) on which requests are priced by this list.",
  examples: ["2026-11-30"],
});

export const ModelPriceRecord = Type.Object(
  {
    host,
    model,
    usd_per_million_tokens: Type.Object(perMillion, {
      ...noOtherFields,
      description: "Prices in US dollars for a million tokens.",
    }),
  },
  { ...noOtherFields, title: "ModelPrice" },
);
export type ModelPriceRecord = Static<typeof ModelPriceRecord>;

export const PutPriceListRequest = Type.Object(
  {
    valid_from: validFrom,
    prices: Type.Array(ModelPriceRecord, {
      maxItems: priceLimits.pricesPerList,
      description: "All prices from this date on. An empty list removes the list of this date.",
    }),
  },
  { ...noOtherFields, title: "PutPriceListRequest" },
);
export type PutPriceListRequest = Static<typeof PutPriceListRequest>;

export const PutPriceListReply = Type.Object(
  {
    valid_from: Type.String(),
    prices: Type.Integer({ description: "Prices that the list has now." }),
    replaced: Type.Integer({ description: "Prices that the list had before." }),
    missing: Type.Array(Type.Object({ host: Type.String(), model: Type.String() }), {
      description: "Prices of the list before this date that this list does not have.",
    }),
    in_force: nullable(Type.String({ description: "Date of the list that is in force now. Null: none is." })),
  },
  { title: "PutPriceListReply" },
);
export type PutPriceListReply = Static<typeof PutPriceListReply>;

export const priceListQuery = Type.Object({
  valid_from: Type.Optional(
    Type.String({ ...validFrom, description: "Date of the list (default: the list in force today, UTC)." }),
  ),
});

export const PriceList = Type.Object(
  {
    valid_from: nullable(Type.String({ description: "Date of the list. Null: no list is in force." })),
    prices: Type.Array(ModelPriceRecord),
    lists: Type.Array(Type.Object({ valid_from: Type.String(), prices: Type.Integer(), is_in_force: Type.Boolean() }), {
      description: `All lists, the latest date first; at most ${priceLimits.lists}.`,
    }),
  },
  { title: "PriceList" },
);
export type PriceList = Static<typeof PriceList>;
