// What the import of a price list accepts and refuses.

import type { RouteCase } from "./route-case.ts";

const price = { host: "api.openai.com", model: "gpt-5", usd_per_million_tokens: { input: 1.25, output: 10 } };
const list = { valid_from: "2026-11-01", prices: [price] };
const withPrice = (changed: object) => ({ ...list, prices: [{ ...price, ...changed }] });
const withAmounts = (amounts: object) => withPrice({ usd_per_million_tokens: amounts });

export const priceListCase: RouteCase = {
  valid: list,
  invalid: [
    [{}, "valid_from"],
    [{ valid_from: "2026-11-01" }, "prices"],
    [{ ...list, valid_from: "1 November" }, "valid_from"],
    [{ ...list, valid_from: "2026-02-30" }, "valid_from"],
    [{ ...list, valid_from: "0000-01-01" }, "valid_from"],
    [{ ...list, currency: "EUR" }, "currency"],
    [{ ...list, prices: null }, "prices"],
    [{ ...list, prices: Array.from({ length: 1_001 }, (_, n) => ({ ...price, model: `m${n}` })) }, "prices"],
    [{ ...list, prices: [price, { ...price, model: "o3" }, price] }, "prices[2]"],
    [withPrice({ host: "https://api.openai.com" }), "prices[0].host"],
    [withPrice({ host: "api.openai.com:443" }), "prices[0].host"],
    [withPrice({ host: "API.openai.com" }), "prices[0].host"],
    [withPrice({ host: "*api.openai.com" }), "prices[0].host"],
    [withPrice({ host: "" }), "prices[0].host"],
    [withPrice({ host: "x".repeat(254) }), "prices[0].host"],
    [withPrice({ model: "" }), "prices[0].model"],
    [withPrice({ model: "gpt*5" }), "prices[0].model"],
    [withPrice({ model: "gpt-5**" }), "prices[0].model"],
    [withPrice({ model: "gpt 5" }), "prices[0].model"],
    [withPrice({ model: "gpt-5\u0000" }), "prices[0].model"],
    [withPrice({ model: "x".repeat(201) }), "prices[0].model"],
    [withAmounts({ input: 1 }), "prices[0].usd_per_million_tokens.output"],
    [withAmounts({ input: -1, output: 1 }), "prices[0].usd_per_million_tokens.input"],
    [withAmounts({ input: "1", output: 1 }), "prices[0].usd_per_million_tokens.input"],
    [withAmounts({ input: 1_000_001, output: 1 }), "prices[0].usd_per_million_tokens.input"],
    [withAmounts({ input: 1, output: 0.1234567 }), "prices[0].usd_per_million_tokens.output"],
    [withAmounts({ input: 1, output: 1, cached_input: 1e-7 }), "prices[0].usd_per_million_tokens.cached_input"],
    [withAmounts({ input: 1, output: 1, reasoning: 1 }), "prices[0].usd_per_million_tokens.reasoning"],
  ],
};
