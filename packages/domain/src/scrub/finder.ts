// Finds the secrets in a text that arrives in pieces. The caller decides what replaces them.

import type { Automaton } from "./automaton.ts";
import { buildAutomaton } from "./automaton.ts";
import { headUnitsMax, needleUnitsMin, type Needle } from "./needles.ts";
import { isSeparator, separatorUnitsMax } from "./separators.ts";

/** Covered units [start, end). The runs of one text are in order and do not overlap. */
export interface Run {
  start: number;
  end: number;
  name: string;
  /** The size of the match that gave it its name. */
  size: number;
  /** Its replacement has been written. */
  isTagged: boolean;
}

/** The rest of a long needle whose head was seen. */
interface Rest {
  readonly whole: string;
  at: number;
}

/** The reading position in a text. Positions count from the first unit that the caller has kept. */
export interface Position {
  state: number;
  readonly runs: Run[];
  rests: Rest[];
  /** Units that are covered without a check: more heads overlap than are followed. */
  blindUnits: number;
  /** Set if separators are skipped. */
  readonly passed: Passed | undefined;
}

/** The units that were not skipped, and their places. */
interface Passed {
  /** For each of the last `headUnitsMax` units: how many units were emitted before it. */
  readonly places: Float64Array;
  count: number;
  /** Units of the text that the caller no longer keeps. */
  given: number;
  previous: number;
  separators: number;
}

/** Overlapping heads come from a secret that repeats itself. More than this many are covered without a check. */
const restsMax = 4;

export interface Finder {
  start(): Position;
  /** Reads `text` from `from`; everything before was read at this position. */
  read(position: Position, text: string, from: number): void;
  /** The start of the text's end that may turn out to begin a secret, or to be inside one. */
  openFrom(position: Position, end: number): number;
  /** Makes positions count from `limit`, which must not be beyond the open part. */
  giveUp(position: Position, limit: number): void;
  /** Covers an unambiguous beginning of a secret at the end of a text that was cut there. */
  coverOpen(position: Position, end: number): void;
}

/** `isBroken`: separators within a secret are skipped, and `needles` contain none. */
export function createFinder(needles: readonly Needle[], { isBroken = false } = {}): Finder {
  const heads = needles.map(({ head }) => head);
  const automaton = buildAutomaton(heads, needleUnitsMin);
  const nameOf = (number: number): string => needles[number - 1]!.name;
  const wholesOf = followers(needles);

  const hitAt = (position: Position, end: number): void => {
    const number = automaton.hit[position.state]!;
    const head = heads[number - 1]!;
    cover(position, startOf(position, head.length, end), end, nameOf(number));
    if (head.length < headUnitsMax) return;
    for (const whole of wholesOf(head)) {
      if (position.rests.length < restsMax) position.rests.push({ whole, at: headUnitsMax });
      else position.blindUnits = Math.max(position.blindUnits, whole.length - headUnitsMax);
    }
  };
  const take = (position: Position, unit: number, at: number): void => {
    if (isFollowing(position)) follow(position, unit, at);
    position.state = automaton.step(position.state, unit);
    if (automaton.hit[position.state] !== 0) hitAt(position, at + 1);
  };
  const readWhole = (position: Position, text: string, from: number): void => {
    for (let at = from; at < text.length; at += 1) {
      if (position.state === 0 && !isFollowing(position)) {
        at = skip(automaton, text, at);
        if (at >= text.length) break;
      }
      take(position, text.charCodeAt(at), at);
    }
  };

  return {
    start: () => ({ state: 0, runs: [], rests: [], blindUnits: 0, passed: isBroken ? nothingPassed() : undefined }),
    read(position, text, from) {
      if (position.passed === undefined) readWhole(position, text, from);
      else readBroken(automaton, position, position.passed, text, from, take);
    },
    openFrom(position, end) {
      const depth = automaton.depth[position.state]!;
      if (depth > 0) return startOf(position, depth, end);
      // The separators between the pieces of a secret are covered with it.
      return position.passed !== undefined && isFollowing(position) ? placeOf(position.passed, 1) + 1 : end;
    },
    giveUp,
    coverOpen(position, end) {
      const open = automaton.depth[position.state]!;
      if (open < needleUnitsMin) return;
      cover(position, startOf(position, open, end), end, nameOf(automaton.through[position.state]!));
    },
  };
}

/** Whether the text may be in a long needle, behind its head. */
export function isFollowing(position: Position): boolean {
  return position.rests.length > 0 || position.blindUnits > 0;
}

function nothingPassed(): Passed {
  return { places: new Float64Array(headUnitsMax), count: 0, given: 0, previous: 0, separators: 0 };
}

/** Returns the start of the last `units` that were read. */
function startOf({ passed }: Position, units: number, end: number): number {
  return passed === undefined ? end - units : placeOf(passed, units);
}

function placeOf({ places, count, given }: Passed, back: number): number {
  return places[(count - back) % headUnitsMax]! - given;
}

/** How many units of the text are searched together. */
const blockUnits = 4_096;
const block = { units: new Uint16Array(blockUnits), places: new Int32Array(blockUnits) };

/** Reads the rest of the text without its separators. */
function readBroken(
  { mayHold }: Automaton,
  position: Position,
  passed: Passed,
  text: string,
  from: number,
  take: (position: Position, unit: number, at: number) => void,
): void {
  const { units, places } = block;
  for (let at = from; at < text.length;) {
    const end = Math.min(text.length, at + blockUnits);
    const { length, next } = collect(passed, text, at, end);
    for (let i = 0; i < length; i += 1) {
      if (position.state === 0 && !isFollowing(position)) {
        for (const last = length - needleUnitsMin; i <= last; i += needleUnitsMin - 1) {
          if (mayHold(units[i + needleUnitsMin - 2]!, units[i + needleUnitsMin - 1]!)) break;
        }
      }
      passed.places[passed.count % headUnitsMax] = passed.given + places[i]!;
      passed.count += 1;
      take(position, units[i]!, places[i]!);
    }
    at = next;
    if (passed.separators <= separatorUnitsMax) continue;
    passed.separators = 0;
    position.state = 0;
    position.rests = [];
    position.blindUnits = 0;
  }
}

/** Adds non-separators to the block until there are too many separators for one secret. */
function collect(passed: Passed, text: string, from: number, end: number): { length: number; next: number } {
  const { units, places } = block;
  let { previous, separators } = passed;
  let length = 0;
  let at = from;
  for (; at < end && separators <= separatorUnitsMax; at += 1) {
    const unit = text.charCodeAt(at);
    if (isSeparator(unit, previous)) separators += 1;
    else {
      separators = 0;
      units[length] = unit;
      places[length] = at;
      length += 1;
    }
    previous = unit;
  }
  passed.previous = previous;
  passed.separators = separators;
  return { length, next: at };
}

function giveUp(position: Position, limit: number): void {
  const { runs, passed } = position;
  const kept: Run[] = [];
  for (const [index, run] of runs.entries()) {
    const isOpen = isFollowing(position) && index === runs.length - 1;
    if (run.end <= limit && !isOpen) continue;
    run.isTagged ||= run.start < limit;
    run.start = Math.max(0, run.start - limit);
    run.end = Math.max(0, run.end - limit);
    kept.push(run);
  }
  runs.splice(0, runs.length, ...kept);
  if (passed !== undefined) passed.given += limit;
}

/** Returns the next place at which a needle can begin, judged by the two units at the end of the shortest one. */
function skip(automaton: Automaton, text: string, from: number): number {
  let at = from;
  const last = text.length - needleUnitsMin;
  while (at <= last) {
    const behind = at + needleUnitsMin - 1;
    if (automaton.mayHold(text.charCodeAt(behind - 1), text.charCodeAt(behind))) break;
    at = behind;
  }
  return at;
}

/** Advances the followed needles by one unit. */
function follow(position: Position, unit: number, at: number): void {
  let isCovered = position.blindUnits > 0;
  if (isCovered) position.blindUnits -= 1;
  const going: Rest[] = [];
  for (const rest of position.rests) {
    if (rest.whole.charCodeAt(rest.at) !== unit) continue;
    isCovered = true;
    rest.at += 1;
    if (rest.at < rest.whole.length) going.push(rest);
  }
  position.rests = going;
  const run = position.runs.at(-1);
  if (isCovered && run !== undefined) run.end = Math.max(run.end, at + 1);
}

function cover(position: Position, from: number, end: number, name: string): void {
  addRun(position.runs, { start: Math.max(0, from), end, name, size: end - from, isTagged: false });
}

/** Merges the run with those at the end that it overlaps. */
function addRun(runs: Run[], run: Run): void {
  for (let last = runs.at(-1); last !== undefined && last.end > run.start; last = runs.at(-1)) {
    runs.pop();
    run.start = Math.min(run.start, last.start);
    run.end = Math.max(run.end, last.end);
    run.isTagged ||= last.isTagged;
    if (last.size >= run.size) Object.assign(run, { name: last.name, size: last.size });
  }
  runs.push(run);
}

/** Merges the runs of several readings of one text. */
export function mergeRuns(readings: readonly (readonly Run[])[]): Run[] {
  const found = readings.filter((runs) => runs.length > 0);
  if (found.length < 2) return [...(found[0] ?? [])];
  const joined: Run[] = [];
  for (const run of found.flat().sort((a, b) => a.start - b.start)) addRun(joined, { ...run });
  return joined;
}

/** Returns the whole needles that have a head; computed when it is first seen. */
function followers(needles: readonly Needle[]): (head: string) => readonly string[] {
  const made = new Map<string, readonly string[]>();
  return (head) => {
    const known = made.get(head);
    if (known !== undefined) return known;
    const longer = needles.flatMap((needle) => (needle.head === head && needle.whole ? [needle.whole()] : []));
    const wholes = [...new Set(longer)];
    made.set(head, wholes);
    return wholes;
  };
}
