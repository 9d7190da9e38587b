// The Model Context Protocol over HTTP. Every request is served alone, so any process can serve it.

import { dariRelease, type McpMessage } from "@dari/contract";
import { agentTools, createMcpServer, tools, type McpServing } from "@dari/mcp";
import { createMcpHandler } from "@modelcontextprotocol/server";
import { Reply, type Call } from "../http/call.ts";
import { describeToolError } from "./tool-error.ts";
import { createAwaitMessage } from "./await-message.ts";
import { createToolCalls } from "./calls.ts";
import { refuseForeignOrigin } from "./origin.ts";
import { findPublishedAgents } from "./published-agents.ts";
import { sendReply, toWebRequest } from "./send-reply.ts";

export async function serveMcp(call: Call<"callMcp">): Promise<object | void> {
  const { control, actor, body, request, response, settings } = call;
  refuseForeignOrigin(call);
  // The library would keep a stream open for changes that never come.
  if (body.method === "subscriptions/listen") return refuseMethod(body);
  const isCall = body.method === "tools/call";
  if (response.closed) return;
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  // The place is taken before a tool sends anything, so that many calls at once do not pass the limit.
  if (isCall) {
    control.streams.check(actor.organizationId, undefined);
    response.once("close", control.streams.take(actor.organizationId, undefined));
  }
  const showsTools = isCall || body.method === "tools/list";
  const agents = showsTools ? await findPublishedAgents(call) : undefined;
  const serving: McpServing = {
    version: dariRelease,
    tools: agents === undefined ? tools : agentTools(agents),
    calls: createToolCalls(call),
    awaitMessage: createAwaitMessage(call),
    // The call's own signal would also end a waiting tool when the platform shuts down. It must still answer.
    signal: gone.signal,
    describeError: (error) => describeToolError(call, error),
  };
  const onerror = (error: Error): void => control.log.debug({ err: error, org: actor.organizationId }, "mcp.refused");
  const handler = createMcpHandler(() => createMcpServer(serving), {
    // A turn can be silent for longer than a proxy waits.
    responseMode: isCall ? "sse" : "auto",
    keepAliveMs: settings.heartbeatMs,
    onerror,
  });
  const reply = await handler.fetch(toWebRequest(request, gone.signal), { parsedBody: body });
  const hold = (bytes: number) => control.streams.hold(actor.organizationId, bytes);
  await sendReply(reply, { response, settings, hold });
}

/** JSON-RPC's code of a method that does not exist. */
const methodNotFound = -32_601;

function refuseMethod({ id, method }: McpMessage): Reply {
  const message = `${method} is not offered: the tools of an address do not change`;
  return new Reply(404, { jsonrpc: "2.0", id: id ?? null, error: { code: methodNotFound, message } });
}
