// What a model reads of a refused call.

import type { Call } from "../http/call.ts";
import { logError, toAppError } from "../http/errors.ts";
import { requestIdOf } from "../http/request-id.ts";

/** Returns the platform's error as text. Logs what is unexpected; the model gets the id to report. */
export function describeToolError({ control, response }: Pick<Call, "control" | "response">, error: unknown): string {
  const known = toAppError(error);
  logError(control, error, known, response);
  const { code, detail, issues, retryAfterSeconds } = known;
  const lines = [
    detail,
    ...issues.map(({ path, message }) => `${path}: ${message}`),
    ...(retryAfterSeconds === undefined ? [] : [`retry after ${retryAfterSeconds} s`]),
    ...(response.locals["createsAgain"] === true ? ["what the call asked for was done; do not repeat it"] : []),
    ...(code === "internal" ? [`request_id: ${requestIdOf(response)}`] : []),
  ];
  // The detail is often the only issue.
  return [...new Set(lines)].join("\n");
}
