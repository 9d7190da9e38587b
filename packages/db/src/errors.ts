// Which errors of the driver mean what. Callers ask questions; they do not read codes.

import { types } from "node:util";

const awayCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  // admin_shutdown, crash_shutdown, cannot_connect_now, connection failures
  "57P01",
  "57P02",
  "57P03",
  // too_many_connections
  "53300",
  "08000",
  "08001",
  "08003",
  "08004",
  "08006",
]);

/** True when the database could not be reached or went away: nothing is known about the statement's effect. */
export function isDatabaseAway(error: unknown): boolean {
  // Not `instanceof`: errors of Node's own sockets may come from another realm, as they do under Jest.
  if (!types.isNativeError(error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code === "string" && awayCodes.has(code)) return true;
  return /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error/.test(
    error.message,
  );
}
