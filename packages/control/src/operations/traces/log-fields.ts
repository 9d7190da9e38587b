// Reads fields of log lines.

export type Fields = Readonly<Record<string, unknown>>;

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "none";
}

export function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
