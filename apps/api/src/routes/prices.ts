// Operators' price lists of models.

import { getPriceList, putPriceList } from "@dari/control/tenants";
import type { Handlers } from "../http/call.ts";

export const priceHandlers: Handlers<"getPriceList" | "putPriceList"> = {
  async getPriceList({ control, query }) {
    return getPriceList(control, query["valid_from"]);
  },

  async putPriceList({ control, actor, body }) {
    return putPriceList(control, actor, body);
  },
};
