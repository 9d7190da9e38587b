// A planted bug: which text of the sources it replaces, and the test that must fail.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Edit {
  /** Relative to the checkout. */
  readonly file: string;
  /** For an SQL file: only the text of this function is searched. */
  readonly sqlFunction?: string;
  /** Must occur once. Spaces and line breaks match each other. */
  readonly find: string;
  readonly replace: string;
}

export interface Plant {
  readonly name: string;
  /** What goes wrong with it. */
  readonly says: string;
  readonly edits: readonly Edit[];
  readonly caughtBy: TestName;
  /** Whether the smoke run includes it. */
  readonly isSmoke?: boolean;
}

export interface TestName {
  /** Relative to the checkout. */
  readonly file: string;
  /** With the names of the enclosing groups, as jest joins them. */
  readonly test: string;
}

/**
 * Puts the bug into the checkout at `root`. Returns a function that removes it. Throws unless each text occurs once.
 */
export function applyPlant(root: string, plant: Plant): () => void {
  const before = new Map<string, string>();
  for (const edit of plant.edits) {
    const path = join(root, edit.file);
    const text = readFileSync(path, "utf8");
    if (!before.has(path)) before.set(path, text);
    writeFileSync(path, applyEdit(text, edit));
  }
  return () => {
    for (const [path, text] of before) writeFileSync(path, text);
  };
}

/** Throws unless the text occurs once: the sources have changed and the planted bug must be updated. */
export function applyEdit(text: string, edit: Edit): string {
  const { start, end } = edit.sqlFunction === undefined ? { start: 0, end: text.length } : spanOf(text, edit);
  const part = text.slice(start, end);
  const places = [...part.matchAll(patternOf(edit.find))];
  const [place] = places;
  if (place === undefined || places.length > 1) {
    throw new Error(`${edit.file} has ${places.length} places of: ${edit.find}`);
  }
  const at = start + place.index;
  return text.slice(0, at) + edit.replace + text.slice(at + place[0].length);
}

function patternOf(find: string): RegExp {
  const words = find.trim().split(/\s+/);
  return new RegExp(words.map((word) => escapePattern(word)).join("\\s+"), "g");
}

function spanOf(text: string, { file, sqlFunction }: Edit): { start: number; end: number } {
  const start = text.indexOf(`create or replace function ${sqlFunction}(`);
  if (start === -1) throw new Error(`${file} has no function ${sqlFunction}`);
  const next = text.indexOf("create or replace function ", start + 1);
  return { start, end: next === -1 ? text.length : next };
}

/** Returns a pattern that matches only this text. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
