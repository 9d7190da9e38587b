// Applies a law to files, except for its known exceptions.

import type { RepositoryFile } from "./files.ts";
import { exceptions } from "./laws.ts";

/** Returns what breaks the law outside the known exceptions, and each exception that no longer breaks it. */
export function judge(
  law: string,
  files: readonly RepositoryFile[],
  breaches: (file: RepositoryFile) => string[],
): string[] {
  const known = exceptions[law] ?? [];
  const found = files.map((file) => ({ path: file.path, breaches: breaches(file) }));
  const fresh = found.filter(({ path }) => !known.includes(path)).flatMap((item) => item.breaches);
  const cured = known.filter((path) => !found.some((item) => item.path === path && item.breaches.length > 0));
  return [...fresh, ...cured.map((path) => `${path} keeps the law "${law}" now: take it off the list of exceptions`)];
}
