// Files that a directory contains for one turn, and that are not part of the session's tree. They are copied to paths
// at which the tree has no entry, and removed after the turn unless the agent changed them.

import {
  closeSync,
  constants,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setImmediate as nextTick } from "node:timers/promises";
import { removeTree } from "@dari/native";

export interface LentFile {
  /** Relative to `workspace/`. */
  readonly path: string;
  /** Absolute; never changed. */
  readonly source: string;
  readonly isExecutable: boolean;
  readonly sizeBytes: number;
}

/** The files copied into a directory. */
export interface LentFiles {
  readonly files: readonly LentFile[];
  /** Folders created for them, relative to `workspace/`, outer ones first. */
  readonly folders: readonly string[];
  /** Files that programs leave in these folders and that are removed too, relative to `workspace/`. */
  readonly leftovers: readonly string[];
}

const filesPerTick = 32;
const readOnly = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Copies `files` into the restored directory `dir`. The session's own files, links and folders stay unchanged.
 * `leftovers`: paths that are removed with the files if their folder was created for these. `owner`: user and group of
 * what is created (default: this process's).
 */
export async function lendFiles(
  dir: string,
  files: readonly LentFile[],
  leftovers: readonly string[] = [],
  owner?: number,
): Promise<LentFiles> {
  const root = join(dir, "workspace");
  const lent: LentFile[] = [];
  const made: string[] = [];
  /** Whether a folder can receive files: it is a directory and not a link. */
  const folders = new Map<string, boolean>();

  function isReady(folder: string): boolean {
    let is = folders.get(folder);
    if (is !== undefined) return is;
    is = folder === "." || isReady(dirname(folder));
    if (is && folder !== "." && !exists(join(root, folder)) && succeeds(() => mkdirSync(join(root, folder)))) {
      made.push(folder);
    }
    is &&= isDirectory(join(root, folder));
    folders.set(folder, is);
    return is;
  }

  for (const [index, file] of files.entries()) {
    if (index % filesPerTick === filesPerTick - 1) await nextTick();
    const place = join(root, file.path);
    if (!isReady(dirname(file.path)) || exists(place)) continue;
    const mode = file.isExecutable ? 0o755 : 0o644;
    if (succeeds(() => writeFileSync(place, readFileSync(file.source), { flag: "wx", mode }))) lent.push(file);
  }
  const places = owner === undefined ? [] : [...made, ...lent.map(({ path }) => path)];
  for (const path of places) lchownSync(join(root, path), owner!, owner!);
  const lentPaths = new Set(lent.map(({ path }) => path));
  const left = leftovers.filter((path) => made.includes(dirname(path)) && !lentPaths.has(path));
  return { files: lent, folders: made, leftovers: left };
}

/**
 * Removes the files that `lendFiles` copied, if their content is unchanged. Changed files stay, with their folders, and
 * belong to the session from now on. Nothing may write to `dir`: the sandbox is dead or has no access.
 */
export async function removeLentFiles(dir: string, { files, folders, leftovers }: LentFiles): Promise<void> {
  const root = join(dir, "workspace");
  // An agent may have replaced a folder by a link. Never follow a link out of the directory.
  const known = new Map<string, boolean>();
  const isWithin = (folder: string): boolean => {
    let is = known.get(folder);
    if (is === undefined) {
      is = (folder === "." || isWithin(dirname(folder))) && isDirectory(join(root, folder));
      known.set(folder, is);
    }
    return is;
  };
  for (const [index, file] of files.entries()) {
    if (index % filesPerTick === filesPerTick - 1) await nextTick();
    const place = join(root, file.path);
    if (isWithin(dirname(file.path)) && isUnchanged(place, file)) succeeds(() => unlinkSync(place));
  }
  for (const path of leftovers) if (isWithin(dirname(path))) await removeTree(join(root, path));
  for (const folder of folders.toReversed()) if (isWithin(folder)) succeeds(() => rmdirSync(join(root, folder)));
}

function isUnchanged(place: string, { source, sizeBytes }: LentFile): boolean {
  try {
    const found = lstatSync(place, { throwIfNoEntry: false });
    if (found === undefined || !found.isFile() || found.size !== sizeBytes) return false;
    return readFileSync(source).equals(readPlain(place));
  } catch {
    // This process cannot read the file, so the agent has changed it.
    return false;
  }
}

function readPlain(place: string): Buffer {
  const descriptor = openSync(place, readOnly);
  try {
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes a change. Returns false if an agent removed the permissions for it, or a folder is not empty. */
function succeeds(change: () => void): boolean {
  try {
    change();
    return true;
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (["EACCES", "EPERM", "ENOTEMPTY"].includes(code)) return false;
    throw error;
  }
}

/** Returns whether the path exists. A path that cannot be read counts as existing. */
function exists(place: string): boolean {
  try {
    return lstatSync(place, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

function isDirectory(place: string): boolean {
  try {
    return lstatSync(place, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    return false;
  }
}
