// Reads code and message of something thrown, whichever realm or library it comes from.

export function codeOf(thrown: unknown): string {
  const code = typeof thrown === "object" && thrown !== null && "code" in thrown ? thrown.code : undefined;
  return typeof code === "string" ? code : "";
}

export function messageOf(thrown: unknown): string {
  const message = typeof thrown === "object" && thrown !== null && "message" in thrown ? thrown.message : undefined;
  return typeof message === "string" ? message : String(thrown);
}

/** What gunzip, zstd and tar-stream throw about their input, as opposed to what a disk or a store throws. */
export function archiveFault(thrown: unknown): "ends too early" | "not compressed" | "not tar" | undefined {
  const code = codeOf(thrown);
  const message = messageOf(thrown);
  if (code === "Z_BUF_ERROR" || message === "Unexpected end of data") return "ends too early";
  if (code.startsWith("Z_") || code.startsWith("ZSTD_")) return "not compressed";
  return /^(Invalid (tar )?header|Header exceeds)/.test(message) ? "not tar" : undefined;
}
