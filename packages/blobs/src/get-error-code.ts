// Reads the code of a system error without trusting its type.

/** Returns a code such as `ENOENT` or `ECONNRESET`, or undefined. */
export function getErrorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}
