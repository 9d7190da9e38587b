// The MCP server: lists the tools, checks their arguments, runs them.

import { validate, type MessageRecord } from "@dari/contract";
import { mcpLimits } from "@dari/domain";
import {
  Server,
  type CallToolRequest,
  type CallToolResult,
  type InputRequiredResult,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { askFor, describeDeclined, readAsked, showsForms, takeAnswer } from "./asking.ts";
import { ToolError, type AwaitMessage, type ToolCalls } from "./calls.ts";
import { describeMessage } from "./describe-message.ts";
import { waitMsOf, type Tool, type ToolCall } from "./tools.ts";

export interface McpServing {
  readonly version: string;
  readonly tools: readonly Tool[];
  readonly calls: ToolCalls;
  readonly awaitMessage: AwaitMessage;
  /** Aborts to end all waits. What was sent continues. */
  readonly signal: AbortSignal;
  /** Returns what a model reads of an error of `calls`; undefined if the error is unexpected. */
  readonly describeError: (error: unknown) => string | undefined;
}

/** Creates the server of one connection, or of one request over HTTP. */
export function createMcpServer(serving: McpServing): Server {
  const server = new Server({ name: "dari", version: serving.version }, { capabilities: { tools: {} } });
  server.setRequestHandler("tools/list", () => ({
    tools: serving.tools.map(({ name, description, inputSchema, readOnly }) => ({
      name,
      description,
      inputSchema: { ...inputSchema, required: [...inputSchema.required] } as never,
      annotations: { readOnlyHint: readOnly, openWorldHint: true },
    })),
  }));
  server.setRequestHandler("tools/call", (request, context) => callTool(serving, request, context));
  return server;
}

type Result = CallToolResult | InputRequiredResult;

/** A model reads all errors that the platform describes, so that it can correct its call. */
async function callTool(serving: McpServing, { params }: CallToolRequest, context: ServerContext): Promise<Result> {
  const { name, arguments: input = {} } = params;
  const tool = serving.tools.find((one) => one.name === name);
  if (tool === undefined) {
    const known = serving.tools.map((one) => one.name).join(", ");
    return refusal(`there is no tool ${name.slice(0, 100)}; the tools are ${known}`);
  }
  const issues = validate(tool.inputSchema, input);
  if (issues.length > 0) return refusal(issues.map(({ path, message }) => `${path}: ${message}`).join("\n"));
  const signal = AbortSignal.any([context.mcpReq.signal, serving.signal]);
  const call = { calls: serving.calls, input, signal };
  let messageId: string | undefined;
  try {
    if ("run" in tool) return textOf(await tool.run(call));
    const report = reporterOf(context);
    const asked = readAsked(context);
    const answered = asked === undefined ? undefined : await takeAnswer(call, asked, context);
    const sent = answered?.record ?? (await tool.start(call));
    messageId = sent.id;
    if (answered?.refusal !== undefined) throw answered.refusal;
    const record = await awaitEnd(serving, call, sent, report);
    if (answered?.isDeclined === true) return textOf(describeDeclined(record));
    return (showsForms(context) ? askFor(record) : undefined) ?? textOf(describeMessage(record));
  } catch (error) {
    const text = error instanceof ToolError ? error.message : serving.describeError(error);
    if (text === undefined) throw error;
    // Otherwise the model would send the message again.
    return refusal(messageId === undefined ? text : `${text}\nThe message is ${messageId}; get_message waits for it.`);
  }
}

/** Returns the message once it has ended or waits for an input, or as it is when the time is over. */
async function awaitEnd(
  { awaitMessage }: McpServing,
  call: ToolCall,
  sent: MessageRecord,
  report: ((text: string) => void) | undefined,
): Promise<MessageRecord> {
  const until = performance.now() + waitMsOf(call);
  let record = sent;
  for (;;) {
    const timeoutMs = until - performance.now();
    const isOpen = !isSettled(record);
    if (isOpen && timeoutMs > 0) record = await awaitMessage(record, { timeoutMs, signal: call.signal, report });
    const into = record.merged_into ?? (isEnded(record) ? record.delivered_in : undefined);
    if (into === undefined) return record;
    record = await call.calls.getMessage(into, {}, { signal: call.signal });
  }
}

/** Returns whether waiting longer changes nothing. */
export function isSettled(record: MessageRecord): boolean {
  return isEnded(record) || record.merged_into !== undefined || record.status === "waiting_for_input";
}

function isEnded({ status }: MessageRecord): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

/** Returns a function that sends a progress notification; undefined if the client did not ask for them. */
function reporterOf({ mcpReq }: ServerContext): ((text: string) => void) | undefined {
  const token = mcpReq._meta?.progressToken;
  if (token === undefined) return undefined;
  if (String(token).length > mcpLimits.idChars)
    throw new ToolError(`progressToken: expected at most ${mcpLimits.idChars} characters`);
  let reports = 0;
  return (message) => {
    const params = { progressToken: token, progress: (reports += 1), message };
    // If the client is gone, the call ends by its signal.
    mcpReq.notify({ method: "notifications/progress", params }).catch(() => undefined);
  };
}

function textOf(result: object | string): CallToolResult {
  return { content: [{ type: "text", text: typeof result === "string" ? result : JSON.stringify(result, null, 2) }] };
}

function refusal(text: string): CallToolResult {
  return { isError: true, content: [{ type: "text", text }] };
}
