// The size limits of a workspace, both trees together.

import { limits } from "@dari/domain";

export interface WorkspaceLimits {
  /** Total size of all files. */
  readonly bytes: number;
  /** Number of files, directories and all other entries. */
  readonly files: number;
  readonly fileBytes: number;
  /** Maximum length of a path from the session's directory, in UTF-8 bytes. */
  readonly pathBytes: number;
}

/** Linux allows 4,096 bytes for a whole path. This part is reserved for the directory of the restored workspace. */
const pathReserveBytes = 1024;

export const defaultWorkspaceLimits: WorkspaceLimits = {
  bytes: limits.workspaceBytes,
  files: limits.workspaceFiles,
  fileBytes: limits.workspaceFileBytes,
  pathBytes: limits.workspacePathBytes - pathReserveBytes,
};
