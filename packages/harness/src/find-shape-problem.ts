// Checks a line of JSON before it is parsed, because a few bytes can expand to much memory.

import { limits } from "@dari/domain";

const quote = 0x22;
const comma = 0x2c;
const backslash = 0x5c;

/** Returns what is wrong with the shape of the JSON in `line`, for its author; undefined if it can be parsed. */
export function findShapeProblem(line: string): string | undefined {
  let depth = 0;
  let values = 0;
  for (let at = 0; at < line.length; at += 1) {
    const unit = line.charCodeAt(at);
    if (unit === quote) at = endOfString(line, at);
    else if (unit === comma) values += 1;
    // `[` and `{`; `]` and `}`.
    else if (unit === 0x5b || unit === 0x7b) {
      values += 1;
      depth += 1;
      if (depth > limits.agentJsonDepth) return `is nested deeper than ${limits.agentJsonDepth} levels`;
    } else if (unit === 0x5d || unit === 0x7d) depth -= 1;
    if (values > limits.agentJsonValues) return `has more than ${limits.agentJsonValues} values`;
  }
  return undefined;
}

/** Returns whether a text is JSON that can be parsed within the limits. */
export function isBoundedJson(text: string): boolean {
  if (findShapeProblem(text) !== undefined) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Returns where the string that begins at `start` ends, or the end of the line. */
function endOfString(line: string, start: number): number {
  for (let at = line.indexOf('"', start + 1); at >= 0; at = line.indexOf('"', at + 1)) {
    let before = at - 1;
    while (before > start && line.charCodeAt(before) === backslash) before -= 1;
    if ((at - before) % 2 === 1) return at;
  }
  return line.length;
}
