// The errors of workspaces, by type.

/** A saved snapshot cannot be trusted: one of its objects is missing, truncated, altered or not written by us. */
export class SnapshotDamagedError extends Error {
  override readonly name = "SnapshotDamagedError";
  readonly objectKey: string;
  readonly problem: string;

  constructor(objectKey: string, problem: string, options?: ErrorOptions) {
    super(`snapshot object ${objectKey} is damaged: ${problem}`, options);
    this.objectKey = objectKey;
    this.problem = problem;
  }
}

export type WorkspaceLimit = "bytes" | "files" | "file_bytes" | "path_bytes" | "names";

/** The workspace exceeds a limit. The message can be shown to the tenant. */
export class WorkspaceLimitError extends Error {
  override readonly name = "WorkspaceLimitError";
  readonly limit: WorkspaceLimit;
  readonly path: string | undefined;

  constructor(limit: WorkspaceLimit, message: string, path?: string) {
    super(message);
    this.limit = limit;
    this.path = path;
  }
}

/** A path of the workspace cannot be read, even after its permissions were changed. */
export class WorkspaceUnreadableError extends Error {
  override readonly name = "WorkspaceUnreadableError";
  readonly path: string;

  constructor(path: string, options?: ErrorOptions) {
    super(`the workspace cannot be read at ${path}`, options);
    this.path = path;
  }
}

/** A file changed while it was read: something still writes to the directory. */
export class WorkspaceChangedError extends Error {
  override readonly name = "WorkspaceChangedError";
  readonly path: string;

  constructor(path: string) {
    super(`${path} changed while the workspace was read`);
    this.path = path;
  }
}

/** Returns `ENOENT`, `EACCES`, …, or undefined. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}
