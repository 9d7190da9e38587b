// Reads the `code` of a system error. By its shape: errors of another realm are no `instanceof Error` here.

/** `ENOENT` and its like; undefined for everything else. */
export function systemErrorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
