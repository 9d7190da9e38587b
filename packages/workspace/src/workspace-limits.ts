// How large a workspace may be, both trees together.

import { limits } from "@dari/domain";

export interface WorkspaceLimits {
  /** Sum of the sizes of all files. */
  readonly bytes: number;
  /** Files, directories and everything else that has a name. */
  readonly files: number;
  readonly fileBytes: number;
  /** The most bytes of a path from the session directory, in UTF-8. */
  readonly pathBytes: number;
}

/** Linux takes 4,096 bytes for a whole path; this much is left for the directory that a workspace is restored into. */
const pathReserveBytes = 1024;

export const defaultWorkspaceLimits: WorkspaceLimits = {
  bytes: limits.workspaceBytes,
  files: limits.workspaceFiles,
  fileBytes: limits.workspaceFileBytes,
  pathBytes: limits.workspacePathBytes - pathReserveBytes,
};
