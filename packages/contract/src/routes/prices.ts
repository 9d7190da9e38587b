// Operators' price lists.

import type { Route } from "./route.ts";
import * as prices from "../schemas/prices.ts";

export const priceRoutes = {
  getPriceList: {
    method: "GET",
    path: "/v1/operator/prices",
    scope: "operator",
    summary: "Get a price list of models, and the dates of all lists.",
    query: prices.priceListQuery,
    reply: prices.PriceList,
    status: 200,
  },
  putPriceList: {
    method: "PUT",
    path: "/v1/operator/prices",
    scope: "operator",
    summary: "Replace the price list of a date. Costs that are stored do not change.",
    request: prices.PutPriceListRequest,
    reply: prices.PutPriceListReply,
    status: 200,
  },
} as const satisfies Record<string, Route>;
