// Which kinds of exports could be run with the packages of a layer. What runs an export is one of these packages, which
// stay from one deploy to the next: where it was loaded once, the next check need not load it again.

export interface KnownRunners {
  kindsOf(key: string): readonly string[];
  add(key: string, kind: string): void;
}

const keysMax = 1_024;

/** For as long as this process lives; the oldest of many are forgotten. */
export function rememberRunners(): KnownRunners {
  const known = new Map<string, readonly string[]>();
  return {
    kindsOf: (key) => known.get(key) ?? [],
    add(key, kind) {
      const kinds = known.get(key) ?? [];
      if (kinds.includes(kind)) return;
      for (const oldest of known.keys()) if (known.size >= keysMax) known.delete(oldest);
      known.set(key, [...kinds, kind]);
    },
  };
}
