// What a model reads of a refused call.

import type { Call } from "../http/call.ts";
import { toAppError } from "../http/errors.ts";
import { requestIdOf } from "../http/request-id.ts";

/** Returns the platform's error as text. Logs what is unexpected; the model gets the id to report. */
export function describeToolError({ control, response }: Pick<Call, "control" | "response">, error: unknown): string {
  const { code, detail, issues, retryAfterSeconds } = toAppError(error);
  const requestId = requestIdOf(response);
  if (code === "internal") control.log.error({ err: error, request_id: requestId }, "request failed");
  const lines = [
    detail,
    ...issues.map(({ path, message }) => `${path}: ${message}`),
    ...(retryAfterSeconds === undefined ? [] : [`retry after ${retryAfterSeconds} s`]),
    ...(code === "internal" ? [`request_id: ${requestId}`] : []),
  ];
  // The detail is often the only issue.
  return [...new Set(lines)].join("\n");
}
