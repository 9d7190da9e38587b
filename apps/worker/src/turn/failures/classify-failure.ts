// Converts a thrown error into a failure for the tenant. An unknown error counts as the platform's, and is retried.

import { failure, type Failure } from "@dari/domain";
import { SnapshotDamagedError, WorkspaceLimitError, WorkspaceUnreadableError } from "@dari/workspace";

export function classifyFailure(error: unknown): Failure {
  if (error instanceof WorkspaceLimitError) return failure("workspace_limit", error.message);
  if (error instanceof WorkspaceUnreadableError) return failure("workspace_limit", error.message);
  if (error instanceof SnapshotDamagedError) return failure("internal_error", "the session's stored files are damaged");
  return failure("internal_error");
}
