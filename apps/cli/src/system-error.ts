// Reads the `code` of a system error without `instanceof`, which fails for errors of another realm.

/** Returns a code such as `ENOENT`; undefined for everything else. */
export function systemErrorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
