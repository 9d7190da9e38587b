// Classifies the driver's errors. Callers use these functions and do not read codes.

import { types } from "node:util";

/** The server is down for all clients: no worker can claim in the meantime. */
const downCodes = new Set(["ECONNREFUSED", "57P01", "57P02", "57P03"]);

/** No reply: the statement may or may not have had its effect. */
const unreachableCodes = new Set([
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  // idle_session_timeout; connection failures; insufficient resources
  "57P05",
  "08000",
  "08001",
  "08003",
  "08004",
  "08006",
  "53000",
  "53200",
  "53300",
]);

/**
 * Nothing was changed, and a retry can succeed: serialization, deadlock, lock and query limits, a full disk, a server
 * that is read-only because another one takes over.
 */
const passingCodes = new Set(["40001", "40P01", "55P03", "57014", "53100", "25006"]);

const lostConnection =
  /Connection terminated|timeout exceeded when trying to connect|Query read timeout|encountered a connection error/;

/** Returns whether the server refuses all clients: a restart or a crash. */
export function isDatabaseDown(error: unknown): boolean {
  return downCodes.has(codeOf(error));
}

/**
 * Returns whether the database was unreachable or the connection broke: the statement may or may not have had its
 * effect.
 */
export function isDatabaseUnreachable(error: unknown): boolean {
  const code = codeOf(error);
  if (downCodes.has(code) || unreachableCodes.has(code)) return true;
  // Errors can come from another realm, where instanceof does not work.
  return types.isNativeError(error) && lostConnection.test(error.message);
}

/** Returns whether repeating an idempotent statement may help. */
export function isDatabaseErrorTransient(error: unknown): boolean {
  return isDatabaseUnreachable(error) || passingCodes.has(codeOf(error));
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : "";
}
