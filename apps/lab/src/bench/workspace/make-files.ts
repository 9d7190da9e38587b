// Creates directories that look like agents' workspaces: many small texts, some larger ones, every fifth file
// incompressible.

import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { seededRandom } from "../../chaos/seeded-random.ts";

export interface Size {
  readonly files: number;
  readonly bytes: number;
}

const filesPerFolder = 50;
const words =
  "the agent writes a report of what it has read and changes two lines in a file that it wrote before".split(" ");

/** Fills `dir/workspace`. The sizes of the files are log-normal and add up to about `bytes`. */
export function makeFiles(dir: string, { files, bytes }: Size): void {
  const random = seededRandom(files);
  const weights = Array.from({ length: files }, () => Math.exp(normal(random) * 1.2));
  const scale = bytes / weights.reduce((sum, one) => sum + one, 0);
  mkdirSync(path.join(dir, "state"), { recursive: true });
  for (const [index, weight] of weights.entries()) {
    const file = fileAt(dir, index);
    if (index % filesPerFolder === 0) mkdirSync(path.dirname(file), { recursive: true });
    const length = Math.max(1, Math.round(weight * scale));
    writeFileSync(file, index % 5 === 4 ? randomBytes(length) : textOf(random, length));
  }
}

/** Changes, adds and deletes one file each, different ones for each `turn`. */
export function changeThree(dir: string, { files }: Size, turn: number): void {
  writeFileSync(fileAt(dir, turn % Math.max(1, Math.floor(files / 2))), `changed in turn ${turn}\n`.repeat(50));
  writeFileSync(path.join(dir, "workspace", `new-${turn}.txt`), `made in turn ${turn}\n`.repeat(50));
  const last = path.join(dir, "workspace", `new-${turn - 1}.txt`);
  rmSync(turn === 0 ? fileAt(dir, files - 1) : last, { force: true });
}

function fileAt(dir: string, index: number): string {
  return path.join(dir, "workspace", `folder-${Math.floor(index / filesPerFolder)}`, `file-${index}.txt`);
}

function textOf(random: () => number, length: number): string {
  let text = "";
  while (text.length < length) text += `${words[Math.floor(random() * words.length)]} ${Math.floor(random() * 1e6)}\n`;
  return text.slice(0, length);
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
