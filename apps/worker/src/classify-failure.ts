// Which failure a thrown error is for the tenant. What it does not know is the platform's own, and retried.

import { failure, type Failure } from "@dari/domain";
import { SnapshotDamagedError, WorkspaceLimitError, WorkspaceUnreadableError } from "@dari/workspace";

export function classifyFailure(error: unknown): Failure {
  if (error instanceof WorkspaceLimitError) return failure("workspace_limit", error.message);
  if (error instanceof WorkspaceUnreadableError) return failure("workspace_limit", error.message);
  if (error instanceof SnapshotDamagedError) return failure("internal_error", "the session's stored files are damaged");
  return failure("internal_error");
}
