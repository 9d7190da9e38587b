// Which kinds of exports could be run with the packages of a layer. What runs an export is one of these packages, which
// stay from one deploy to the next: where it was loaded once, the next check need not load it again.

import { createHash } from "node:crypto";

export interface KnownRunners {
  kindsOf(key: string): readonly string[];
  add(key: string, kind: string): void;
}

const keysMax = 1_024;
const kindsMax = 16;

/** For as long as this process lives; the oldest of many are forgotten. */
export function rememberRunners(): KnownRunners {
  const known = new Map<string, readonly string[]>();
  return {
    kindsOf: (key) => known.get(shortOf(key)) ?? [],
    add(key, kind) {
      const kinds = known.get(shortOf(key)) ?? [];
      if (kinds.includes(kind)) return;
      for (const oldest of known.keys()) if (known.size >= keysMax) known.delete(oldest);
      // An agent may say that it is of any kind.
      known.set(shortOf(key), [...kinds, kind].slice(-kindsMax));
    },
  };
}

/** Environments are part of them, and many are remembered. */
const shortOf = (key: string): string => createHash("sha256").update(key).digest("base64");
