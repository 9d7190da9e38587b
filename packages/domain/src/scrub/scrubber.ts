// Takes secrets out of everything that is said about a turn. Knows their values and encodings, nothing of who reads.

import { createFinder, type Finder, type Position, type Run } from "./finder.ts";
import { needlesOf } from "./needles.ts";

/** A text that comes in pieces. */
export interface ScrubStream {
  /**
   * What can be shown by now. What may be the beginning of a secret waits for the next piece: at most 63 units, which
   * is less than the longest secret.
   */
  write(piece: string): string;
  /** What waited. Nothing may be written afterwards. */
  end(): string;
}

export interface Scrubber {
  /** With `[redacted:NAME]` in place of every secret. `isCut`: it may end within one, which is then covered too. */
  text(value: string, options?: { readonly isCut?: boolean }): string;
  /** Texts that are read one after the other: a secret that lies across them goes as well. */
  pieces(values: readonly string[]): string[];
  /** A copy without secrets of what JSON can hold: in texts, keys and numbers. However deep. */
  json(value: unknown): unknown;
  stream(): ScrubStream;
}

/** Of a name: what is shown must not become much longer than what was said. */
const tagNameUnitsMax = 64;

const untouched: Scrubber = {
  text: (value) => value,
  pieces: (values) => [...values],
  json: (value) => value,
  stream: () => ({ write: (piece) => piece, end: () => "" }),
};

/**
 * Values of fewer than 8 UTF-16 units are not looked for. Never throws on any text. The first text pays for the
 * automaton (about 0.1 ms a secret).
 */
export function createScrubber(secrets: ReadonlyMap<string, string>): Scrubber {
  const needles = needlesOf(secrets);
  if (needles.length === 0) return untouched;
  let made: Finder | undefined;
  const finder = (): Finder => (made ??= createFinder(needles));
  const text: Scrubber["text"] = (value, { isCut = false } = {}) => {
    const runs = findRuns(finder(), value, isCut);
    return runs.length === 0 ? value : replaceRuns(value, runs, 0, value.length);
  };
  return {
    text,
    pieces(values) {
      const whole = values.join("");
      const runs = findRuns(finder(), whole, false);
      let at = 0;
      return values.map((value) => {
        const start = at;
        at += value.length;
        return runs.length === 0 ? value : replaceRuns(whole, runs, start, at);
      });
    },
    json: (value) => scrubJson(value, (one) => text(one)),
    stream: () => openStream(finder()),
  };
}

function findRuns(finder: Finder, text: string, isCut: boolean): Run[] {
  const position = finder.start();
  finder.read(position, text, 0);
  if (isCut) finder.coverOpen(position, text.length);
  return position.runs;
}

/** Units [from, to) of the text; a run is told where it starts. */
function replaceRuns(text: string, runs: readonly Run[], from: number, to: number): string {
  let shown = "";
  let at = from;
  for (const run of runs) {
    if (run.end <= from) continue;
    if (run.start >= to) break;
    shown += text.slice(at, Math.max(at, run.start));
    if (run.start >= from) shown += tagOf(run);
    at = Math.min(to, run.end);
  }
  return shown + text.slice(at, to);
}

function tagOf(run: Run): string {
  return run.isTagged ? "" : `[redacted:${run.name.slice(0, tagNameUnitsMax)}]`;
}

function openStream(finder: Finder): ScrubStream {
  const position = finder.start();
  let held = "";
  return {
    write(piece) {
      if (piece === "") return "";
      const text = held + piece;
      finder.read(position, text, held.length);
      const limit = text.length - finder.openUnits(position);
      const shown = showBefore(position, text, limit);
      held = text.slice(limit);
      return shown;
    },
    end() {
      const shown = replaceRuns(held, position.runs, 0, held.length);
      held = "";
      return shown;
    },
  };
}

/** What stands before `limit`, from where no secret can begin any more; positions count from there afterwards. */
function showBefore(position: Position, text: string, limit: number): string {
  const shown = replaceRuns(text, position.runs, 0, limit);
  const kept: Run[] = [];
  const isFollowing = position.rests.length > 0 || position.blindUnits > 0;
  for (const [index, run] of position.runs.entries()) {
    const isOpen = isFollowing && index === position.runs.length - 1;
    if (run.end <= limit && !isOpen) continue;
    run.isTagged ||= run.start < limit;
    run.start = Math.max(0, run.start - limit);
    run.end = Math.max(0, run.end - limit);
    kept.push(run);
  }
  position.runs.splice(0, position.runs.length, ...kept);
  return shown;
}

type Container = unknown[] | Record<string, unknown>;

/** Without recursion: what an agent emits may be as deep as its size allows. */
function scrubJson(value: unknown, scrub: (text: string) => string): unknown {
  const waiting: { from: object; to: Container }[] = [];
  const copy = (one: unknown): unknown => {
    if (typeof one === "string") return scrub(one);
    if (typeof one === "number") {
      const shown = String(one);
      const scrubbed = scrub(shown);
      return scrubbed === shown ? one : scrubbed;
    }
    if (typeof one !== "object" || one === null) return one;
    const to: Container = Array.isArray(one) ? [] : {};
    waiting.push({ from: one, to });
    return to;
  };
  const result = copy(value);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { from, to } = next;
    if (Array.isArray(from)) for (const one of from) (to as unknown[]).push(copy(one));
    else {
      for (const [key, one] of Object.entries(from)) {
        // Defined, not assigned: `__proto__` is a key like any other.
        const field = { value: copy(one), enumerable: true, writable: true, configurable: true };
        Object.defineProperty(to, scrub(key), field);
      }
    }
  }
  return result;
}
