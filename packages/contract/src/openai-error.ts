// Errors in the form that OpenAI's clients read, beside the platform's own fields.

import type { AppErrorCode } from "@dari/domain";
import { errorKinds, type ErrorBody } from "./errors.ts";
import type { OpenAiErrorBody } from "./schemas/openai-responses.ts";

/** OpenAI's clients expect 400 for a request that is invalid. */
export function openAiStatusOf(code: AppErrorCode): number {
  return code === "invalid" ? 400 : errorKinds[code].status;
}

const types: Readonly<Partial<Record<AppErrorCode, string>>> = {
  unauthenticated: "authentication_error",
  forbidden: "permission_error",
  limit_exceeded: "rate_limit_error",
  quota_exceeded: "insufficient_quota",
};

/** Adds `error`. Its message has all problems of the request, and `param` names the first. */
export function renderOpenAiError(body: ErrorBody): OpenAiErrorBody {
  const { detail, code, errors = [] } = body;
  const problems = errors.map(({ path, message }) => `${path}: ${message}`);
  const param = errors[0]?.path ?? null;
  const type = types[code] ?? (errorKinds[code].status >= 500 ? "server_error" : "invalid_request_error");
  const message = problems.length > 0 ? problems.join("; ") : detail;
  // Clients know this code.
  const known = code === "not_found" && param === "model" ? "model_not_found" : code;
  return { error: { message, type, param, code: known }, ...body };
}
