// Removes secrets from everything that is written about a turn.

import { createFinder, isFollowing, mergeRuns, type Finder, type Run } from "./finder.ts";
import { createBrokenNeedles, createNeedles } from "./needles.ts";

/** A text that arrives in pieces. */
export interface ScrubStream {
  /**
   * Returns what can be shown so far. A possible beginning of a secret waits for the next piece: at most 63 units,
   * which is less than the longest secret, plus the separators if it may be broken into lines, at most 64 units each.
   */
  write(piece: string): string;
  /** Whether the text may end inside a secret. If not, a new stream shows the next pieces in the same way. */
  isOpen(): boolean;
  /**
   * Returns the rest. Nothing may be written afterwards. A beginning of a secret of 8 units or more is replaced,
   * because a process that writes in the background can be stopped at any time. `isCut`: the text is known to be cut,
   * so a shorter beginning is left out.
   */
  end(options?: { readonly isCut?: boolean }): string;
}

export interface Scrubber {
  /**
   * Replaces every secret by `[redacted:NAME]`. `isCut`: the text may end inside a secret, which is then covered too.
   */
  text(value: string, options?: { readonly isCut?: boolean }): string;
  /** For texts that are read one after the other: also covers a secret that spans several of them. */
  pieces(values: readonly string[]): string[];
  /** A copy of a JSON value of any depth, without secrets in texts, keys and numbers. */
  json(value: unknown): unknown;
  stream(): ScrubStream;
}

/** The most units of a name, so that the shown text is not much longer than the original. */
const tagNameUnitsMax = 64;

const untouched: Scrubber = {
  text: (value) => value,
  pieces: (values) => [...values],
  json: (value) => value,
  stream: () => ({ write: (piece) => piece, isOpen: () => false, end: () => "" }),
};

/**
 * Values of fewer than 8 UTF-16 units are not searched for. Never throws on any text. The first text pays for building
 * the automaton (about 0.1 ms per secret).
 */
export function createScrubber(
  secrets: ReadonlyMap<string, string> | readonly (readonly [name: string, value: string])[],
): Scrubber {
  const needles = createNeedles(secrets);
  if (needles.length === 0) return untouched;
  let made: readonly Finder[] | undefined;
  const finders = (): readonly Finder[] =>
    (made ??= [createFinder(needles), createFinder(createBrokenNeedles(secrets), { isBroken: true })]);
  const text: Scrubber["text"] = (value, { isCut = false } = {}) => {
    const runs = findRuns(finders(), value, isCut);
    return runs.length === 0 ? value : replaceRuns(value, runs, 0, value.length);
  };
  return {
    text,
    pieces(values) {
      const whole = values.join("");
      const runs = findRuns(finders(), whole, false);
      let at = 0;
      return values.map((value) => {
        const start = at;
        at += value.length;
        return runs.length === 0 ? value : replaceRuns(whole, runs, start, at);
      });
    },
    json: (value) => scrubJson(value, (one) => text(one)),
    stream: () => openStream(finders()),
  };
}

function findRuns(finders: readonly Finder[], text: string, isCut: boolean): Run[] {
  const readings = finders.map((finder) => {
    const position = finder.start();
    finder.read(position, text, 0);
    if (isCut) finder.coverOpen(position, text.length);
    return position.runs;
  });
  return mergeRuns(readings);
}

/** Units [from, to) of the text; a replacement is written where its run starts. */
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

function openStream(finders: readonly Finder[]): ScrubStream {
  const readings = finders.map((finder) => ({ finder, position: finder.start() }));
  const runs = (): Run[] => mergeRuns(readings.map(({ position }) => position.runs));
  let held = "";
  return {
    write(piece) {
      if (piece === "") return "";
      const text = held + piece;
      let limit = text.length;
      for (const { finder, position } of readings) {
        finder.read(position, text, held.length);
        limit = Math.min(limit, finder.openFrom(position, text.length));
      }
      const shown = replaceRuns(text, runs(), 0, limit);
      for (const { finder, position } of readings) finder.giveUp(position, limit);
      held = text.slice(limit);
      return shown;
    },
    isOpen: () => held !== "" || readings.some(({ position }) => isFollowing(position)),
    end({ isCut = false } = {}) {
      for (const { finder, position } of readings) finder.coverOpen(position, held.length);
      const shown = isCut ? runs().map(tagOf).join("") : replaceRuns(held, runs(), 0, held.length);
      held = "";
      return shown;
    },
  };
}

type Container = unknown[] | Record<string, unknown>;

/** Without recursion, because an agent's value can be as deep as its size allows. */
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
        // Defined, not assigned: `__proto__` must be a key like any other.
        const field = { value: copy(one), enumerable: true, writable: true, configurable: true };
        Object.defineProperty(to, scrub(key), field);
      }
    }
  }
  return result;
}
