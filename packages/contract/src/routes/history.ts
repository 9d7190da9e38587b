// Going back in a session's history: forks, rollbacks, what turns changed, what failed attempts left behind.

import { limits } from "@dari/domain";
import Type from "typebox";
import type { Route } from "./route.ts";
import { flag, idInput } from "../schemas/common.ts";
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
      "Start a session with the conversation and the workspace as of a message; the last completed one by default.",
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
    summary: "Take an idle session back to what it was after a message; later messages are kept and marked.",
    request: workspaces.RollbackSessionRequest,
    reply: SessionRecord,
    status: 200,
  },
  getMessageDiff: {
    method: "GET",
    path: "/v1/messages/{message_id}/diff",
    scope: "read",
    summary: "The turn's changes as a unified diff that `git apply` takes; binary and large files are only named.",
    replyContent: "text/plain",
    status: 200,
  },
  listAttemptFiles: {
    method: "GET",
    path: "/v1/messages/{message_id}/attempts/{attempt_number}/files",
    scope: "read",
    summary: "List a directory of what an unsuccessful attempt left behind; with `recursive=1` everything below it.",
    query: Type.Object({ path: Type.Optional(path), recursive: flag }),
    reply: files.DirectoryListing,
    status: 200,
  },
  getAttemptFileContent: {
    method: "GET",
    path: "/v1/messages/{message_id}/attempts/{attempt_number}/files/content",
    scope: "read",
    summary: "Get the bytes of a file that an unsuccessful attempt left behind. Accepts `Range`.",
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
      "Get a session as one file for another installation: its conversation, its workspace, and the bundle of its " +
      "version. Secrets stay behind.",
    replyContent: "application/gzip",
    status: 200,
  },
  importSession: {
    method: "POST",
    path: "/v1/sessions/import",
    scope: "deploy",
    summary:
      "Start a session from an export. It runs on a version that was made from the same bundle: the agent's that is " +
      "named, else any agent's, else a new agent's.",
    query: Type.Object({ agent_id: Type.Optional(idInput("agent", ["dep"])) }),
    requestContent: "application/gzip",
    reply: SessionRecord,
    status: 201,
    spends: "upload",
    idempotent: true,
  },
  promoteAttempt: {
    method: "POST",
    path: "/v1/messages/{message_id}/attempts/{attempt_number}/promote",
    scope: "run",
    summary:
      "Make what an unsuccessful attempt left behind the workspace, if the session is idle and still where it was.",
    reply: workspaces.WorkspaceCommit,
    status: 200,
  },
} as const satisfies Record<string, Route>;
