// The error for a reached quota. The statement that would have exceeded it has failed.

import { quotaRefusalOf, type QuotaKind } from "@dari/db";
import { AppError } from "@dari/domain";

const nouns: Readonly<Record<QuotaKind, string>> = {
  sessions: "sessions",
  files: "files",
  agents: "agents",
  api_keys: "API keys",
  storage_bytes: "bytes of files, bundles, workspaces and tool calls",
};

/** Long, because a quota is freed only by deletions. */
const retryAfterSeconds = 60;

/** Returns an AppError `quota_exceeded`, or undefined for every other error. */
export function toQuotaError(error: unknown): AppError | undefined {
  const refusal = quotaRefusalOf(error);
  if (refusal === undefined) return undefined;
  const { kind, most, kept, more } = refusal;
  const added = kind === "storage_bytes" ? `, of which ${kept} are used, and this adds ${more}` : "";
  const detail = `quota reached: ${most} ${nouns[kind]}${added}; delete some, or ask an operator for more`;
  return new AppError("quota_exceeded", detail, { retryAfterSeconds, cause: error });
}
