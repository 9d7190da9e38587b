// The MCP server, independent of its transport.

export { agentTools, type PublishedAgent } from "./agent-tools.ts";
export { ToolError, type AwaitMessage, type ToolCalls, type WaitOptions } from "./calls.ts";
export { createMcpServer, isSettled, type McpServing } from "./server.ts";
export { tools, type Tool } from "./tools.ts";
