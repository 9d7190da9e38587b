// Says what an organization keeps too much of. The statement that would have added to it has refused.

import { quotaRefusalOf, type QuotaKind } from "@dari/db";
import { AppError } from "@dari/domain";

const nouns: Readonly<Record<QuotaKind, string>> = {
  sessions: "sessions",
  files: "files",
  agents: "agents",
  api_keys: "API keys",
  storage_bytes: "bytes of files, bundles and workspaces",
};

/** Room does not come by itself: whoever asks again by itself does so seldom. */
const retryAfterSeconds = 60;

/** AppError `quota_exceeded`; undefined for every other error. */
export function quotaRefusal(error: unknown): AppError | undefined {
  const refusal = quotaRefusalOf(error);
  if (refusal === undefined) return undefined;
  const { kind, most, kept, more } = refusal;
  const said = kind === "storage_bytes" ? `, keeps ${kept} and would add ${more}` : "";
  const detail = `the organization may keep ${most} ${nouns[kind]}${said}; delete some, or ask an operator for more`;
  return new AppError("quota_exceeded", detail, { retryAfterSeconds, cause: error });
}
