// Which errors of the driver mean what. Callers ask questions; they do not read codes.

import { types } from "node:util";

/** The server is down for everybody: nobody can claim meanwhile. */
const downCodes = new Set(["ECONNREFUSED", "57P01", "57P02", "57P03"]);

/** No answer, or none from here: nothing is known about the statement's effect, nor about others. */
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
 * Nothing was changed, and the same may work a moment later: serialization, deadlock, lock and query limits, a full
 * disk, a server that is read only because another one takes over.
 */
const passingCodes = new Set(["40001", "40P01", "55P03", "57014", "53100", "25006"]);

const lostConnection =
  /Connection terminated|timeout exceeded when trying to connect|Query read timeout|encountered a connection error/;

/** True when the server refuses everybody: a restart, a crash. */
export function isDatabaseDown(error: unknown): boolean {
  return downCodes.has(codeOf(error));
}

/** True when the database could not be reached or went away: nothing is known about the statement's effect. */
export function isDatabaseAway(error: unknown): boolean {
  const code = codeOf(error);
  if (downCodes.has(code) || unreachableCodes.has(code)) return true;
  // Errors cross realms, where instanceof does not hold.
  return types.isNativeError(error) && lostConnection.test(error.message);
}

/** True when repeating an idempotent statement may help. */
export function isDatabasePassing(error: unknown): boolean {
  return isDatabaseAway(error) || passingCodes.has(codeOf(error));
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : "";
}
