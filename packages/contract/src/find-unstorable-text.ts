// Finds text that PostgreSQL cannot store: NUL and lone surrogates.

import type { FieldIssue } from "@dari/domain";

/**
 * Returns up to `most` strings and member names of a JSON value that PostgreSQL refuses. Without recursion, so that
 * deep input cannot exhaust the stack.
 */
export function findUnstorableText(value: unknown, most: number): FieldIssue[] {
  const issues: FieldIssue[] = [];
  const pending: { container: object; path: string }[] = [];
  const visit = (item: unknown, parent: string, segment: string): void => {
    if (typeof item === "string") {
      const problem = problemOf(item);
      if (problem !== undefined) issues.push({ path: join(parent, segment), message: problem });
    } else if (typeof item === "object" && item !== null) {
      pending.push({ container: item, path: `${parent}${segment}` });
    }
  };
  visit(value, "", "");
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { container, path } = next;
    for (const [key, item] of Object.entries(container)) {
      if (issues.length >= most) return issues.slice(0, most);
      const isName = !Array.isArray(container);
      if (isName && problemOf(key) !== undefined) {
        issues.push({ path: join(path, ""), message: "a name has NUL or broken Unicode" });
      }
      visit(item, path, isName ? `.${key}` : `[${key}]`);
    }
  }
  return issues.slice(0, most);
}

function join(parent: string, segment: string): string {
  const path = `${parent}${segment}`.replace(/^\./, "");
  return path === "" ? "body" : path;
}

function problemOf(text: string): string | undefined {
  if (text.includes("\0")) return "must not contain NUL";
  return text.isWellFormed() ? undefined : "must be well-formed Unicode";
}
