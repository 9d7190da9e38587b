// The Model Context Protocol over HTTP. Its path is the one that clients of the protocol expect.

import { mcpLimits } from "@dari/domain";
import type { Route } from "./route.ts";
import * as mcp from "../schemas/mcp.ts";

const mcpPath = "/mcp";

export const mcpRoutes = {
  callMcp: {
    method: "POST",
    path: mcpPath,
    scope: "read",
    summary:
      "Agents and sessions as tools of the Model Context Protocol (streamable HTTP). Tools that send need the scope " +
      "`run`.",
    query: mcp.mcpQuery,
    request: mcp.McpMessage,
    // The protocol's library describes each value that it refuses, at many times what the value costs here.
    bodyValuesMax: mcpLimits.values,
    reply: mcp.McpReply,
    mayStream: true,
    streamItem: mcp.McpReply,
    status: 200,
    alsoStatus: [202],
  },
} as const satisfies Record<string, Route>;

export function isMcpPath(path: string): boolean {
  return path === mcpPath;
}
