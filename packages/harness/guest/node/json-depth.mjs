// Measures how deep JSON is nested.

/** Returns whether JSON is nested deeper than `levels`. */
export function isDeeper(json, levels) {
  let depth = 0;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[{\]}]/g)) {
    if (token === "[" || token === "{") depth += 1;
    else if (token === "]" || token === "}") depth -= 1;
    if (depth > levels) return true;
  }
  return false;
}
