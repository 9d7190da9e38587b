// The texts to search for: each secret in each encoding. Long ones are found by their beginning.

import { brokenEncodings, encodings, quotedEncodings, type Encoding } from "./encodings.ts";
import { splitIntoPieces } from "./split-into-pieces.ts";
import { withoutSeparators } from "./separators.ts";

/** Shorter values are not searched for, because too many texts contain them. UTF-16 units. */
export const needleUnitsMin = 8;
/** A longer needle is found by this many first units; the rest is compared unit by unit. */
export const headUnitsMax = 64;
/** The most pieces of all secrets of a turn. Each piece costs as much as a short secret. */
const piecesMax = 2_048;
/** A secret with fewer letters and digits is not searched for across lines, because too many texts contain it. */
const acrossLinesUnitsMin = 16;

export interface Needle {
  /** The secret's name. */
  readonly name: string;
  /** `needleUnitsMin` to `headUnitsMax` units. */
  readonly head: string;
  /** Undefined if the head is the whole needle; otherwise computed on demand. */
  readonly whole: (() => string) | undefined;
}

/** The head, plus a surrogate pair that a cut may break. */
const beginningUnits = headUnitsMax + 6;

type Secrets = Iterable<readonly [name: string, value: string]>;

/** Yields the values to look for. A secret from a file is often printed without the file's line end. */
function* valuesOf(secrets: Secrets): Generator<[name: string, value: string]> {
  for (const [name, given] of secrets) {
    const value = given.trim().toWellFormed();
    if (value.length >= needleUnitsMin) yield [name, value];
  }
}

/**
 * Returns the needles for an unchanged text: whole secrets, and those of their pieces that are secrets by themselves.
 */
export function createNeedles(secrets: Secrets): Needle[] {
  const needles: Needle[] = [];
  let pieces = 0;
  for (const [name, value] of valuesOf(secrets)) {
    needles.push(...inEach(encodings, name, value));
    for (const piece of splitIntoPieces(value)) {
      if ((pieces += 1) > piecesMax) break;
      needles.push(...inEach(quotedEncodings, name, piece));
    }
  }
  return needles;
}

/** Returns the needles for a text without its separators: secrets and their encodings that were broken into lines. */
export function createBrokenNeedles(secrets: Secrets): Needle[] {
  const needles: Needle[] = [];
  for (const [name, value] of valuesOf(secrets)) {
    if (/\s|\\[nr]/.test(value)) needles.push(...brokenNeedle(name, value, (text) => text, acrossLinesUnitsMin));
    for (const encode of brokenEncodings) needles.push(...brokenNeedle(name, value, encode, needleUnitsMin));
  }
  return needles;
}

/** Enough for the head of any text that does not consist mostly of separators. */
const brokenBeginningUnits = 1_024;

/** Returns undefined if too little remains without separators. */
function brokenNeedle(name: string, value: string, encode: Encoding, unitsMin: number): Needle[] {
  const beginning = withoutSeparators(encode(value.slice(0, brokenBeginningUnits).toWellFormed()));
  const isWhole = value.length <= brokenBeginningUnits;
  if (beginning.length < (isWhole ? unitsMin : headUnitsMax)) return [];
  const head = beginning.slice(0, headUnitsMax);
  const isHeadAll = isWhole && beginning.length <= headUnitsMax;
  return [
    { name, head, whole: isHeadAll ? undefined : () => (isWhole ? beginning : withoutSeparators(encode(value))) },
  ];
}

function inEach(some: readonly Encoding[], name: string, value: string): Needle[] {
  const needles: Needle[] = [];
  const known = new Set<string>();
  for (const encode of some) {
    const beginning = encode(value.slice(0, beginningUnits).toWellFormed());
    const isWhole = value.length <= beginningUnits;
    if (isWhole && known.has(beginning)) continue;
    known.add(beginning);
    const head = beginning.slice(0, headUnitsMax);
    const isHeadAll = isWhole && beginning.length <= headUnitsMax;
    needles.push({ name, head, whole: isHeadAll ? undefined : () => (isWhole ? beginning : encode(value)) });
  }
  return needles;
}
