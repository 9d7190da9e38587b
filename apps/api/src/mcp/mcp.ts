// The route of the Model Context Protocol.

import type { Handlers } from "../http/call.ts";

export const mcpHandlers: Handlers<"callMcp"> = {
  async callMcp(call) {
    // Imported by the first call: the protocol's library needs 32 MiB.
    const { serveMcp } = await import("./serve-mcp.ts");
    return serveMcp(call);
  },
};
