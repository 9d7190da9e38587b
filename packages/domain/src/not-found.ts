// Errors that many calls share.

import { AppError } from "./app-error.ts";

/** A caller cannot distinguish an unknown id from another organization's. */
export function notFound(noun: string): AppError {
  return new AppError("not_found", `${noun} not found`);
}

export function invalidField(path: string, message: string): AppError {
  return new AppError("invalid", `${path}: ${message}`, { issues: [{ path, message }] });
}

/** Returns the row that a query found. @throws AppError `not_found` */
export function requireFound<Row>(row: Row | undefined, noun: string): Row {
  if (row === undefined) throw notFound(noun);
  return row;
}
