// Links a layer into a tree by hard links: nothing is copied, and paths are those of an ordinary installation.

import { chmodSync, linkSync, mkdirSync, opendirSync, readlinkSync, symlinkSync } from "node:fs";
import { chmod, copyFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { removeTree } from "@dari/native";
import { codeOf } from "../errors.ts";

/** The folders that installers fill. Every file of a layer is in one of these. */
export const dependencyFolders: readonly string[] = ["node_modules", ".deps"];

/**
 * A link takes microseconds, a third of what passing it to a thread takes. This many in a row block no one noticeably.
 */
const stepsInARow = 32;

/**
 * Links a layer's folders, wherever they are below `from`, into `to`. On another file system they are copied. A folder
 * of the same name in `to` is replaced. `seal`: makes the changed directories read-only.
 * @returns the folders, relative to `to`.
 */
export async function linkDependencyLayer(from: string, to: string, options: { seal: boolean }): Promise<string[]> {
  const mode = options.seal ? 0o555 : 0o755;
  const roots: string[] = [];
  await mkdir(to, { recursive: true });
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (dependencyFolders.includes(entry.name)) {
      await removeTree(target);
      await mkdir(target);
      await linkTree(source, target, mode);
      roots.push(entry.name);
    } else roots.push(...(await linkDependencyLayer(source, target, options)).map((path) => `${entry.name}/${path}`));
  }
  await chmod(to, mode);
  return roots;
}

async function linkTree(from: string, to: string, mode: number): Promise<void> {
  let steps = 0;
  for (const left of stepsOf(from, to, mode)) {
    if (left !== undefined) await copyFile(left.source, left.target);
    else if ((steps += 1) % stepsInARow === 0) await setImmediate();
  }
}

interface Copy {
  readonly source: string;
  readonly target: string;
}

/** Yields after each system call. If a file cannot be linked, yields it for the caller to copy. */
function* stepsOf(from: string, to: string, mode: number): Generator<Copy | undefined, void> {
  using entries = opendirSync(from);
  for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      mkdirSync(target);
      yield* stepsOf(source, target, mode);
    } else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target);
    else if (!isLinked(source, target)) yield { source, target };
    yield;
  }
  chmodSync(to, mode);
}

/** Returns false on another file system, and for a file with the maximum number of links. */
function isLinked(source: string, target: string): boolean {
  try {
    linkSync(source, target);
    return true;
  } catch (error) {
    if (!["EXDEV", "EMLINK", "EPERM"].includes(codeOf(error) ?? "")) throw error;
    return false;
  }
}
