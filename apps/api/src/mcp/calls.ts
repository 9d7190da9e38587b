// The calls of the MCP server's tools: the API's own routes, with the caller's key.

import type { ToolCalls } from "@dari/mcp";
import { getSessionFile } from "@dari/control/storage";
import { callRoute, readInnerCall, type OuterCall } from "../http/call-route.ts";
import { agentHandlers } from "../routes/agents.ts";
import { fileHandlers } from "../routes/files.ts";
import { messageHandlers } from "../routes/messages.ts";
import { sessionHandlers } from "../routes/sessions.ts";

export function createToolCalls(call: OuterCall): ToolCalls {
  return {
    listAgents: (query) => callRoute(call, "listAgents", agentHandlers.listAgents, { query: textsOf(query) }),
    listSessions: (query) => callRoute(call, "listSessions", sessionHandlers.listSessions, { query: textsOf(query) }),
    createSession: (agentId, body) =>
      callRoute(call, "createSession", sessionHandlers.createSession, { params: { agent_id: agentId }, body }),
    getSession: (sessionId) =>
      callRoute(call, "getSession", sessionHandlers.getSession, { params: inSession(sessionId) }),
    sendMessageAsync: (sessionId, body) =>
      callRoute(call, "sendMessageAsync", messageHandlers.sendMessageAsync, { params: inSession(sessionId), body }),
    sendAgentMessage: (agentId, body) =>
      callRoute(call, "sendAgentMessage", messageHandlers.sendAgentMessage, { params: { agent_id: agentId }, body }),
    getMessage: (messageId) =>
      callRoute(call, "getMessage", messageHandlers.getMessage, { params: { message_id: messageId } }),
    answerInput: (messageId, body) =>
      callRoute(call, "answerInput", messageHandlers.answerInput, { params: { message_id: messageId }, body }),
    listMessages: (sessionId, query) =>
      callRoute(call, "listMessages", messageHandlers.listMessages, {
        params: inSession(sessionId),
        query: textsOf(query),
      }),
    listSessionFiles: (sessionId, query) =>
      callRoute(call, "listSessionFiles", fileHandlers.listSessionFiles, {
        params: inSession(sessionId),
        query: textsOf(query),
      }),
    async getSessionFileContent(sessionId, query) {
      // The route's handler would write the file as the reply.
      const sent = { params: inSession(sessionId), query };
      const { control, actor, params } = await readInnerCall(call, "getSessionFileContent", sent);
      const { session_id: id } = params as { readonly session_id: string };
      return (await getSessionFile(control, actor, { sessionId: id, path: query.path })).open();
    },
  };
}

const inSession = (sessionId: string) => ({ session_id: sessionId });

/** A query has texts only. */
function textsOf(query: Readonly<Record<string, string | number | undefined>>): Record<string, string> {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
}
