// The error for a quota that is reached. The statement that would have exceeded it has refused.

import { quotaRefusalOf, type QuotaKind } from "@dari/db";
import { AppError } from "@dari/domain";

const nouns: Readonly<Record<QuotaKind, string>> = {
  sessions: "sessions",
  files: "files",
  agents: "agents",
  api_keys: "API keys",
  storage_bytes: "bytes of files, bundles and workspaces",
};

/** Long, because a quota frees up only when something is deleted. */
const retryAfterSeconds = 60;

/** AppError `quota_exceeded`; undefined for every other error. */
export function quotaRefusal(error: unknown): AppError | undefined {
  const refusal = quotaRefusalOf(error);
  if (refusal === undefined) return undefined;
  const { kind, most, kept, more } = refusal;
  const added = kind === "storage_bytes" ? `, of which ${kept} are used, and this adds ${more}` : "";
  const detail = `quota reached: ${most} ${nouns[kind]}${added}; delete some, or ask an operator for more`;
  return new AppError("quota_exceeded", detail, { retryAfterSeconds, cause: error });
}
