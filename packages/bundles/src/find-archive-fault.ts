// Distinguishes a damaged archive from a failing disk or store.

/**
 * Returns the kind of an error that gunzip, zstd or tar-stream throws about its input; undefined for every other error.
 */
export function findArchiveFault(thrown: unknown): "ends too early" | "not compressed" | "not tar" | undefined {
  const error = Object(thrown) as { code?: unknown; message?: unknown };
  const code = typeof error.code === "string" ? error.code : "";
  const message = typeof error.message === "string" ? error.message : "";
  if (code === "Z_BUF_ERROR" || message === "Unexpected end of data") return "ends too early";
  if (code.startsWith("Z_") || code.startsWith("ZSTD_")) return "not compressed";
  return /^(Invalid (tar )?header|Header exceeds)/.test(message) ? "not tar" : undefined;
}
