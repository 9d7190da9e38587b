// The size limits of an organization's workspaces, within the platform's.

import { organizations, type Database, type WorkspaceBounds } from "@dari/db";
import { AppError } from "@dari/domain";
import { defaultWorkspaceLimits, WorkspaceLimitError, type WorkspaceLimits } from "@dari/workspace";

export async function getWorkspaceLimits(db: Database, organizationId: string): Promise<WorkspaceLimits> {
  return capWorkspaceLimits(await organizations.findWorkspaceBounds(db, organizationId));
}

export function capWorkspaceLimits(own: WorkspaceBounds | undefined): WorkspaceLimits {
  const least = (bound: number | null | undefined, platform: number): number => Math.min(bound ?? platform, platform);
  return {
    ...defaultWorkspaceLimits,
    bytes: least(own?.bytes, defaultWorkspaceLimits.bytes),
    files: least(own?.files, defaultWorkspaceLimits.files),
    fileBytes: least(own?.fileBytes, defaultWorkspaceLimits.fileBytes),
  };
}

/** Returns a limit error of saving a tree as the caller's error, and other errors unchanged. */
export function toWorkspaceLimitError(error: unknown): unknown {
  return error instanceof WorkspaceLimitError ? new AppError("too_large", error.message, { cause: error }) : error;
}
