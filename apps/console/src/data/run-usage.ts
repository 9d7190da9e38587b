// The runs of one message: their names, which of them count, and their total usage. Draws nothing.

import type { Attempt } from "./transcript.ts";

/**
 * Returns a name for each run, in order: the number of its attempt in the API and the logs. A run that does not count
 * shares its number with the next one, so the name also says why that one exists.
 */
export function listRunNames(attempts: readonly Pick<Attempt, "number" | "outcome">[]): string[] {
  return attempts.map(({ number }, index) => {
    const before = attempts[index - 1];
    if (before?.number !== number) return String(number);
    return `${number}, ${before.outcome === "suspended" ? "continued" : "again"}`;
  });
}

const supersededOutcomes: readonly Attempt["outcome"][] = ["retry", "failed", "released", "lost"];

/** Returns whether another run replaces this one, or will. A run that waited for an answer is continued instead. */
export function isRunSuperseded(attempts: readonly Pick<Attempt, "outcome">[], index: number): boolean {
  const outcome = attempts[index]?.outcome;
  return outcome === "retry" || (index < attempts.length - 1 && supersededOutcomes.includes(outcome));
}

/** Returns the model usage of all runs, or undefined if no run reported any. */
export function sumRunUsage(
  attempts: readonly Pick<Attempt, "usage">[],
): { readonly runs: number; readonly usage: Readonly<Record<string, number>> } | undefined {
  const used = attempts.flatMap(({ usage }) => (usage === undefined ? [] : [usage]));
  if (used.length === 0) return undefined;
  const sums: Record<string, number> = {};
  for (const usage of used) for (const [name, count] of Object.entries(usage)) sums[name] = (sums[name] ?? 0) + count;
  return { runs: used.length, usage: sums };
}
