// What the route of MCP accepts and refuses, for tests of all routes.

import { mcpLimits } from "@dari/domain";
import type { RouteCase } from "./route-case.ts";

const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };

export const mcpCases = {
  callMcp: {
    valid: list,
    invalid: [
      [{}, "jsonrpc"],
      [{ ...list, jsonrpc: "1.0" }, "jsonrpc"],
      [{ ...list, id: {} }, "id"],
      [{ ...list, id: 1.5 }, "id"],
      [{ ...list, id: "x".repeat(mcpLimits.idChars + 1) }, "id"],
      [{ ...list, method: "" }, "method"],
      [{ ...list, method: 1 }, "method"],
      [{ ...list, params: [] }, "params"],
      [[list], "body"],
      ["tools/list", "body"],
    ],
  },
} as const satisfies Record<string, RouteCase>;
