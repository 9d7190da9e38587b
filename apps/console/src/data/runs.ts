// The runs of one message: what they are called, and what they have used together. Draws nothing.

import type { Attempt } from "./transcript.ts";

/**
 * Returns a name for each run, in their order: the number of its attempt as the API and the logs give it. A run that
 * does not count shares its number with the next one, which says why it is there.
 */
export function namesOfRuns(attempts: readonly Pick<Attempt, "number" | "outcome">[]): string[] {
  return attempts.map(({ number }, index) => {
    const before = attempts[index - 1];
    if (before?.number !== number) return String(number);
    return `${number}, ${before.outcome === "suspended" ? "continued" : "again"}`;
  });
}

/** Returns what all runs have used at their models; undefined where none has said so. */
export function usageOfRuns(
  attempts: readonly Pick<Attempt, "usage">[],
): { readonly runs: number; readonly usage: Readonly<Record<string, number>> } | undefined {
  const used = attempts.flatMap(({ usage }) => (usage === undefined ? [] : [usage]));
  if (used.length === 0) return undefined;
  const sums: Record<string, number> = {};
  for (const usage of used) for (const [name, count] of Object.entries(usage)) sums[name] = (sums[name] ?? 0) + count;
  return { runs: used.length, usage: sums };
}
