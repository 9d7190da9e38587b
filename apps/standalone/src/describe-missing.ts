// Warns of what agents lack on this machine, once for each remedy.

interface Missing {
  readonly what: string;
  readonly fix: string;
}

/** Returns a sentence for each remedy, because one often provides several capabilities. */
export function describeMissing(missing: readonly Missing[]): string[] {
  const byFix = Map.groupBy(missing, ({ fix }) => fix);
  return [...byFix].map(([fix, lacks]) => `without ${lacks.map(({ what }) => what).join("; without ")}; ${fix}`);
}
