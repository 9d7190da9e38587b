// Finds what is to be covered in a text that comes in pieces. Knows where secrets are, not what is put in their place.

import type { Automaton } from "./automaton.ts";
import { buildAutomaton } from "./automaton.ts";
import { headUnitsMax, needleUnitsMin, type Needle } from "./needles.ts";

/** Units [start, end) that are covered. Runs of one text are in order and do not overlap. */
export interface Run {
  start: number;
  end: number;
  name: string;
  /** Of the match that gave it its name. */
  size: number;
  /** What stands in its place has been written. */
  isTagged: boolean;
}

/** The rest of a long needle whose head was seen. */
interface Rest {
  readonly whole: string;
  at: number;
}

/** Where a text stands. Positions count from what the caller has kept. */
export interface Position {
  state: number;
  readonly runs: Run[];
  rests: Rest[];
  /** Units that are covered unseen: more heads overlap than are followed. */
  blindUnits: number;
}

/** Heads that overlap one another are a secret that repeats itself; more are covered without a look. */
const restsMax = 4;

export interface Finder {
  start(): Position;
  /** Reads `text` from `from` on; everything before was read at this position. */
  read(position: Position, text: string, from: number): void;
  /** Units at the end that may yet turn out to begin a secret. */
  openUnits(position: Position): number;
  /** Covers the beginning of a secret at the end, if it is one beyond doubt: for a text that was cut there. */
  coverOpen(position: Position, end: number): void;
}

export function createFinder(needles: readonly Needle[]): Finder {
  const heads = needles.map(({ head }) => head);
  const automaton = buildAutomaton(heads, needleUnitsMin);
  const nameOf = (number: number): string => needles[number - 1]!.name;
  const wholesOf = followers(needles);

  const hitAt = (position: Position, end: number): void => {
    const number = automaton.hit[position.state]!;
    const head = heads[number - 1]!;
    cover(position, end - head.length, end, nameOf(number));
    if (head.length < headUnitsMax) return;
    for (const whole of wholesOf(head)) {
      if (position.rests.length < restsMax) position.rests.push({ whole, at: headUnitsMax });
      else position.blindUnits = Math.max(position.blindUnits, whole.length - headUnitsMax);
    }
  };

  return {
    start: () => ({ state: 0, runs: [], rests: [], blindUnits: 0 }),
    read(position, text, from) {
      const { step, hit } = automaton;
      for (let at = from; at < text.length; at += 1) {
        const isFollowing = position.rests.length > 0 || position.blindUnits > 0;
        if (isFollowing) follow(position, text.charCodeAt(at), at);
        else if (position.state === 0) {
          at = skip(automaton, text, at);
          if (at >= text.length) break;
        }
        position.state = step(position.state, text.charCodeAt(at));
        if (hit[position.state] !== 0) hitAt(position, at + 1);
      }
    },
    openUnits: (position) => automaton.depth[position.state]!,
    coverOpen(position, end) {
      const open = automaton.depth[position.state]!;
      if (open >= needleUnitsMin) cover(position, end - open, end, nameOf(automaton.through[position.state]!));
    },
  };
}

/** The next place at which a needle can begin, as far as two units tell that lie at the end of the shortest one. */
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

/** Takes one unit in the needles that are being followed. */
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
  const run: Run = { start: Math.max(0, from), end, name, size: end - from, isTagged: false };
  const { runs } = position;
  for (let last = runs.at(-1); last !== undefined && last.end > run.start; last = runs.at(-1)) {
    runs.pop();
    run.start = Math.min(run.start, last.start);
    run.end = Math.max(run.end, last.end);
    run.isTagged ||= last.isTagged;
    if (last.size >= run.size) Object.assign(run, { name: last.name, size: last.size });
  }
  runs.push(run);
}

/** The whole needles that have a head; made when it is first seen. */
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
