// How much JSON a value is. Without recursion, so that the depth of what a stranger sends cannot exhaust the stack.

export interface JsonBounds {
  readonly bytes: number;
  /** Objects, lists, and what is in them. */
  readonly values: number;
  /** Of objects and lists in each other. */
  readonly depth: number;
}

const encoder = new TextEncoder();

/** Of a value that was parsed from JSON. */
export function countJson(value: unknown): { values: number; depth: number } {
  let values = 0;
  let depth = 0;
  const pending: { readonly value: unknown; readonly level: number }[] = [{ value, level: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    values += 1;
    if (typeof next.value !== "object" || next.value === null) continue;
    const level = next.level + 1;
    depth = Math.max(depth, level);
    for (const each of Object.values(next.value)) pending.push({ value: each, level });
  }
  return { values, depth };
}

export function isWithin(value: unknown, bounds: JsonBounds): boolean {
  const { values, depth } = countJson(value);
  if (values > bounds.values || depth > bounds.depth) return false;
  return encoder.encode(JSON.stringify(value)).length <= bounds.bytes;
}
