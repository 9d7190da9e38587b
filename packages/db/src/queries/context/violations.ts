// Recognizes database errors that a query turns into an outcome.

/** A row is still referred to, or refers to one that is gone. */
export function isForeignKeyViolation(error: unknown): boolean {
  return hasCode(error, "23503");
}

/** Another row has the same value in a unique index. */
export function isUniqueViolation(error: unknown): boolean {
  return hasCode(error, "23505");
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === code;
}
