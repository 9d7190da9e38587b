// What an error of the S3 client means.

import { getErrorCode } from "./get-error-code.ts";

const brokenCodes = new Set(["ECONNRESET", "ECONNREFUSED", "EPIPE", "ETIMEDOUT", "ERR_STREAM_PREMATURE_CLOSE"]);

/** Returns the status of the server's answer, or undefined if there was none. */
export function httpStatus(error: unknown): number | undefined {
  const status = (error as { $metadata?: { httpStatusCode?: unknown } } | null)?.$metadata?.httpStatusCode;
  return typeof status === "number" ? status : undefined;
}

/** Returns whether the connection ended before the answer did. */
export function isBrokenConnection(error: unknown): boolean {
  const name = (error as Error | null)?.name ?? "";
  return (
    brokenCodes.has(getErrorCode(error) ?? "") || name === "TimeoutError" || (error as Error).message === "aborted"
  );
}
