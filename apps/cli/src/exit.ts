// The command's exit codes, and the errors that have one. Documented in README.md.

import { ApiError, ConnectionError } from "@dari/client";

export const exitCodes = {
  ok: 0,
  failed: 1,
  invalid: 2,
  unauthorized: 3,
  notFound: 4,
  conflict: 5,
  unavailable: 7,
  interrupted: 130,
} as const;

/** A failure with its own exit code. The message is shown unchanged. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: number;

  constructor(message: string, exitCode: number = exitCodes.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Returns an error for wrong usage, or for an unusable file: exit code 2. */
export function invalid(message: string): CliError {
  return new CliError(message, exitCodes.invalid);
}

/** Returns the exit code of any thrown error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.exitCode;
  if (error instanceof ConnectionError) return exitCodes.unavailable;
  return error instanceof ApiError ? exitCodeOfStatus(error.status) : exitCodes.failed;
}

function exitCodeOfStatus(status: number): number {
  switch (status) {
    case 401:
    case 403:
      return exitCodes.unauthorized;
    case 404:
      return exitCodes.notFound;
    case 409:
      return exitCodes.conflict;
    case 413:
    case 422:
      return exitCodes.invalid;
    case 429:
    case 503:
      return exitCodes.unavailable;
    default:
      return exitCodes.failed;
  }
}
