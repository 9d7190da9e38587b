// What a session token can call. A route that is not in this table refuses every token.

import type { RouteName } from "./routes.ts";
import type { SessionTokenScope } from "./vocabulary.ts";

/**
 * The scope that a token needs for each route. A route here must name its target by one of `tokenTargets`, or have none
 * and only create something. A POST with the scope `read` does several things: the operations that it calls require
 * their own scopes.
 */
const access: Readonly<Partial<Record<RouteName, SessionTokenScope>>> = {
  sendMessage: "send",
  sendMessageSync: "send",
  sendMessageAsync: "send",
  sendMessageStream: "send",
  getSession: "read",
  listMessages: "read",
  listEvents: "read",
  streamSession: "read",
  getTranscript: "read",
  getMessage: "read",
  streamMessage: "read",
  getMessageFiles: "read",
  getMessageDiff: "read",
  getToolCall: "read",
  getMessageValue: "read",
  listSessionFiles: "read",
  getSessionFileContent: "read",
  getWorkspaceTarGz: "read",
  getWorkspaceZip: "read",
  getFile: "read",
  getFileContent: "read",
  answerInput: "answer",
  uploadFile: "upload",
  cancelMessage: "cancel",
  sendUiMessage: "read",
  streamUiMessage: "read",
  listUiMessages: "read",
  runAgUi: "read",
};

/** Path parameters that a token's call can have. The call is refused if one is not of the token's session. */
export const tokenTargets = ["session_id", "message_id", "file_id"] as const;

/** Returns the scope that a token needs for a route, or undefined if no token can call it. */
export function tokenScopeOf(name: RouteName): SessionTokenScope | undefined {
  return access[name];
}
