// What is looked for: each secret in each encoding. Long ones are found by their beginning.

import { encodings } from "./encodings.ts";

/** Shorter values are not looked for: they are in too many texts. UTF-16 units. */
export const needleUnitsMin = 8;
/** A needle that is longer is found by so many first units; the rest is compared unit by unit. */
export const headUnitsMax = 64;

export interface Needle {
  /** The secret's. */
  readonly name: string;
  /** `needleUnitsMin` to `headUnitsMax` units. */
  readonly head: string;
  /** Undefined where the head is all of it; else made when it is asked for. */
  readonly whole: (() => string) | undefined;
}

/** Beyond the head by a surrogate pair, which a cut may break. */
const beginningUnits = headUnitsMax + 6;

export function needlesOf(secrets: Iterable<readonly [name: string, value: string]>): Needle[] {
  const needles: Needle[] = [];
  for (const [name, given] of secrets) {
    // Whoever prints a secret leaves out the line end that a file had.
    const value = given.trim().toWellFormed();
    if (value.length < needleUnitsMin) continue;
    const known = new Set<string>();
    for (const encode of encodings) {
      const beginning = encode(value.slice(0, beginningUnits).toWellFormed());
      const isWhole = value.length <= beginningUnits;
      if (isWhole && known.has(beginning)) continue;
      known.add(beginning);
      const head = beginning.slice(0, headUnitsMax);
      const isHeadAll = isWhole && beginning.length <= headUnitsMax;
      needles.push({ name, head, whole: isHeadAll ? undefined : () => (isWhole ? beginning : encode(value)) });
    }
  }
  return needles;
}
