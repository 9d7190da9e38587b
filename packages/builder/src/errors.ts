// Returns code and message of any thrown value, from any realm or library.

export function codeOf(thrown: unknown): string {
  const code = typeof thrown === "object" && thrown !== null && "code" in thrown ? thrown.code : undefined;
  return typeof code === "string" ? code : "";
}

export function messageOf(thrown: unknown): string {
  const message = typeof thrown === "object" && thrown !== null && "message" in thrown ? thrown.message : undefined;
  return typeof message === "string" ? message : String(thrown);
}
