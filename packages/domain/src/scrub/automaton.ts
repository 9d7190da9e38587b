// Finds many words in one pass (Aho-Corasick), one UTF-16 unit at a time. Independent of secrets.

export interface Automaton {
  /** The state after one more unit. 0 is the start, at which no part of any word has been seen. */
  step(state: number, unit: number): number;
  /** How many units at the end of the text begin a word. At most 255. */
  readonly depth: Uint8Array;
  /** The longest word that ends here, counted from 1; 0 for none. */
  readonly hit: Int32Array;
  /** A word that begins with the units seen so far, counted from 1. */
  readonly through: Int32Array;
  /** False if no word contains these two units in sequence within its first `window`. */
  mayHold(first: number, second: number): boolean;
}

const pairs = 4_096;
const narrow = 256;

/** `words`: each of `window` to 255 units. Takes time and memory in proportion to their units. */
export function buildAutomaton(words: readonly string[], window: number): Automaton {
  const states = 1 + words.reduce((sum, word) => sum + word.length, 0);
  const mask = 2 ** Math.ceil(Math.log2(2 * states)) - 1;
  // A transition is found by hashing the state with the unit. A state stores the transition that leads to it.
  const slots = new Int32Array(mask + 1);
  const parent = new Int32Array(states);
  const unitOf = new Uint16Array(states);
  const depth = new Uint8Array(states);
  const hit = new Int32Array(states);
  const through = new Int32Array(states);
  const fail = new Int32Array(states);
  const fromStart = new Int32Array(narrow);
  const seenPairs = new Uint8Array(pairs);
  let made = 1;

  const slotOf = (state: number, unit: number): number => {
    let slot = (Math.imul(state, 0x9e3779b1) ^ Math.imul(unit + 1, 0x85ebca6b)) >>> 7;
    for (slot &= mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const found = slots[slot]!;
      if (parent[found] === state && unitOf[found] === unit) break;
    }
    return slot;
  };
  const way = (state: number, unit: number): number =>
    state === 0 && unit < narrow ? fromStart[unit]! : slots[slotOf(state, unit)]!;
  const step = (from: number, unit: number): number => {
    let state = from;
    let next = way(state, unit);
    while (next === 0 && state !== 0) {
      state = fail[state]!;
      next = way(state, unit);
    }
    return next;
  };
  const insert = (word: string, number: number): void => {
    let state = 0;
    for (let at = 0; at < word.length; at += 1) {
      const unit = word.charCodeAt(at);
      if (at > 0 && at < window) seenPairs[pairOf(word.charCodeAt(at - 1), unit)] = 1;
      const slot = slotOf(state, unit);
      if (slots[slot] === 0) {
        slots[slot] = made;
        parent[made] = state;
        unitOf[made] = unit;
        depth[made] = at + 1;
        through[made] = number;
        if (state === 0 && unit < narrow) fromStart[unit] = made;
        made += 1;
      }
      state = slots[slot]!;
    }
    if (hit[state] === 0) hit[state] = number;
  };

  for (const [index, word] of words.entries()) insert(word, index + 1);
  for (const state of byDepth(depth, made)) {
    const above = parent[state]!;
    if (above !== 0) fail[state] = step(fail[above]!, unitOf[state]!);
    if (hit[state] === 0) hit[state] = hit[fail[state]!]!;
  }
  return { step, depth, hit, through, mayHold: (first, second) => seenPairs[pairOf(first, second)] === 1 };
}

function pairOf(first: number, second: number): number {
  return ((first << 6) ^ second) & (pairs - 1);
}

/** Returns all states but the start, in order of depth. */
function byDepth(depth: Uint8Array, count: number): Int32Array {
  const starts = new Int32Array(257);
  for (let state = 1; state < count; state += 1) starts[depth[state]! + 1]! += 1;
  for (let level = 1; level < starts.length; level += 1) starts[level]! += starts[level - 1]!;
  const order = new Int32Array(count - 1);
  for (let state = 1; state < count; state += 1) order[starts[depth[state]!]!++] = state;
  return order;
}
