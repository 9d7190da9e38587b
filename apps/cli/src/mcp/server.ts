// The MCP server: lists the tools, checks their arguments, runs them. The only file that imports the protocol's SDK.

import { ApiError, ConnectionError, type Client } from "@dari/client";
import { validate } from "@dari/contract";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import {
  CallToolRequestSchema,
  ListToolsRequestSchema,
  type CallToolRequest,
  type CallToolResult,
} from "@modelcontextprotocol/sdk/types.js";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { CliError } from "../exit.ts";
import { tools, type ToolCall } from "./tools.ts";

export interface Serving {
  readonly client: Client;
  readonly version: string;
  readonly stdin: Readable;
  readonly stdout: Writable;
  /** Aborts to end the server. */
  readonly signal: AbortSignal;
}

/** Serves over standard input and output until the input ends or the signal aborts. */
export async function serveMcp({ client, version, stdin, stdout, signal }: Serving): Promise<void> {
  const server = new Server({ name: "dari", version }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: tools.map(({ name, description, inputSchema, readOnly }) => ({
      name,
      description,
      inputSchema: { ...inputSchema, required: [...(inputSchema.required ?? [])] },
      annotations: { readOnlyHint: readOnly, openWorldHint: true },
    })),
  }));
  server.setRequestHandler(CallToolRequestSchema, async (request, extra) => {
    let reports = 0;
    const token = request.params._meta?.progressToken;
    return callTool(request, {
      client,
      signal: AbortSignal.any([extra.signal, signal]),
      async progress(message) {
        if (token === undefined) return;
        const params = { progressToken: token, progress: ++reports, message };
        await extra.sendNotification({ method: "notifications/progress", params });
      },
    });
  });
  const ended = Promise.race([once(stdin, "end"), once(stdin, "close"), once(signal, "abort")]);
  await server.connect(new StdioServerTransport(stdin, stdout));
  if (!signal.aborted) await ended;
  await server.close();
}

/** A model reads all errors, including unexpected ones, so that it can say what went wrong. */
async function callTool(request: CallToolRequest, call: Omit<ToolCall, "input">): Promise<CallToolResult> {
  const { name, arguments: input = {} } = request.params;
  const tool = tools.find((one) => one.name === name);
  if (tool === undefined)
    return refusal(`there is no tool ${name}; the tools are ${tools.map((one) => one.name).join(", ")}`);
  const issues = validate(tool.inputSchema, input);
  if (issues.length > 0) return refusal(issues.map(({ path, message }) => `${path}: ${message}`).join("\n"));
  try {
    const result = await tool.run({ ...call, input });
    return { content: [{ type: "text", text: typeof result === "string" ? result : JSON.stringify(result, null, 2) }] };
  } catch (error) {
    if (error instanceof ApiError) return refusal([error.detail, ...error.errors.map(describeIssue)].join("\n"));
    if (error instanceof ConnectionError || error instanceof CliError) return refusal(error.message);
    throw error;
  }
}

function describeIssue({ path, message }: { readonly path: string; readonly message: string }): string {
  return `${path}: ${message}`;
}

function refusal(text: string): CallToolResult {
  return { isError: true, content: [{ type: "text", text }] };
}
