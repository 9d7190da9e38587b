// Measures JSON values. Without recursion, so that deep input cannot exhaust the stack.

export interface JsonBounds {
  readonly bytes: number;
  /** Number of objects and lists, and of everything in them. */
  readonly values: number;
  /** Nesting depth of objects and lists. */
  readonly depth: number;
}

const encoder = new TextEncoder();

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

/** Returns whether objects and lists have more than `most` members together. */
export function hasMoreValues(value: unknown, most: number): boolean {
  const pending: unknown[] = [value];
  let seen = 0;
  while (pending.length > 0) {
    const next = pending.pop();
    if (typeof next !== "object" || next === null) continue;
    // Unlike `Object.values`, this ends early without a list of all members.
    for (const name in next) {
      if (++seen > most) return true;
      const member: unknown = (next as Record<string, unknown>)[name];
      if (typeof member === "object" && member !== null) pending.push(member);
    }
  }
  return false;
}

export function isWithin(value: unknown, bounds: JsonBounds): boolean {
  const { values, depth } = countJson(value);
  if (values > bounds.values || depth > bounds.depth) return false;
  return encoder.encode(JSON.stringify(value)).length <= bounds.bytes;
}
