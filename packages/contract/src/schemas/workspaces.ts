// Requests that go back in a session's history or change its workspace without a turn.

import Type, { type Static } from "typebox";
import { idInput, idOutput, noOtherFields } from "./common.ts";
import { FileChange } from "./messages.ts";

export const ForkSessionRequest = Type.Object(
  {
    message_id: Type.Optional(
      Type.String({ ...idInput("message"), description: "Default: the last completed message." }),
    ),
    version_id: Type.Optional(
      Type.String({ ...idInput("version"), description: "A ready version of the agent. Default: the session's." }),
    ),
  },
  { ...noOtherFields, title: "ForkSessionRequest" },
);
export type ForkSessionRequest = Static<typeof ForkSessionRequest>;

export const RollbackSessionRequest = Type.Object(
  { message_id: idInput("message") },
  { ...noOtherFields, title: "RollbackSessionRequest" },
);
export type RollbackSessionRequest = Static<typeof RollbackSessionRequest>;

export const WorkspaceCommit = Type.Object(
  {
    session_id: idOutput("session"),
    snapshot_id: Type.String({
      ...idOutput("snapshot"),
      description: "Newest snapshot of the workspace. Unchanged if the request changed nothing.",
    }),
    files_changed: Type.Array(FileChange),
  },
  { title: "WorkspaceCommit" },
);
export type WorkspaceCommit = Static<typeof WorkspaceCommit>;
