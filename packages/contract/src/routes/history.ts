// A session's history: forks, rollbacks, changes of turns, files of failed attempts, exports and imports.

import { limits } from "@dari/domain";
import Type from "typebox";
import type { Route } from "./route.ts";
import { flagQuery, agentInput } from "../schemas/common.ts";
import * as files from "../schemas/files.ts";
import { SessionRecord } from "../schemas/sessions.ts";
import * as workspaces from "../schemas/workspaces.ts";

const path = Type.String({ maxLength: limits.workspacePathBytes, examples: ["/output"] });

export const historyRoutes = {
  forkSession: {
    method: "POST",
    path: "/v1/sessions/{session_id}/fork",
    scope: "run",
    summary:
      "Start a session with a copy of the conversation and the workspace after a message; by default, after the last " +
      "completed one.",
    request: workspaces.ForkSessionRequest,
    bodyOptional: true,
    reply: SessionRecord,
    status: 201,
    idempotent: true,
  },
  rollBackSession: {
    method: "POST",
    path: "/v1/sessions/{session_id}/rollback",
    scope: "run",
    summary: "Restore an idle session to its state after a message. Later messages are kept and marked as rolled back.",
    request: workspaces.RollbackSessionRequest,
    reply: SessionRecord,
    status: 200,
  },
  getMessageDiff: {
    method: "GET",
    path: "/v1/messages/{message_id}/diff",
    scope: "read",
    summary:
      "Get the turn's changes as a unified diff for `git apply`. Binary and large files are named without their " +
      "contents.",
    replyContent: "text/plain",
    status: 200,
  },
  listAttemptFiles: {
    method: "GET",
    path: "/v1/messages/{message_id}/attempts/{attempt_number}/files",
    scope: "read",
    summary:
      "List a directory of the workspace as an unsuccessful attempt left it. With `recursive=1`, list everything " +
      "below it.",
    query: Type.Object({ path: Type.Optional(path), recursive: flagQuery }),
    reply: files.DirectoryListing,
    status: 200,
  },
  getAttemptFileContent: {
    method: "GET",
    path: "/v1/messages/{message_id}/attempts/{attempt_number}/files/content",
    scope: "read",
    summary: "Get the bytes of a file as an unsuccessful attempt left it. Accepts `Range`.",
    query: Type.Object({ path }),
    replyContent: "application/octet-stream",
    status: 200,
    alsoStatus: [206],
  },
  exportSession: {
    method: "GET",
    path: "/v1/sessions/{session_id}/export",
    scope: "deploy",
    summary:
      "Export a session as one file for another installation: its conversation, its workspace and its version's " +
      "bundle. Secrets are not included.",
    replyContent: "application/gzip",
    status: 200,
  },
  importSession: {
    method: "POST",
    path: "/v1/sessions/import",
    scope: "deploy",
    summary:
      "Start a session from an export. It runs on a version with the same bundle: of the agent `agent_id`, else of " +
      "any agent, else of a new agent.",
    query: Type.Object({ agent_id: Type.Optional(agentInput) }),
    requestContent: "application/gzip",
    reply: SessionRecord,
    status: 201,
    countsAs: "upload",
    idempotent: true,
  },
  promoteAttempt: {
    method: "POST",
    path: "/v1/messages/{message_id}/attempts/{attempt_number}/promote",
    scope: "run",
    summary:
      "Replace the workspace with what an unsuccessful attempt left. The session must be idle and its workspace " +
      "unchanged since that attempt.",
    reply: workspaces.WorkspaceCommit,
    status: 200,
  },
} as const satisfies Record<string, Route>;
