// Files that a directory shows for one turn and that are not part of the session's tree: they are copied in where the
// tree has nothing of that name, and removed again unless the agent has changed them.

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
  /** Absolute, and never changed. */
  readonly source: string;
  readonly isExecutable: boolean;
  readonly sizeBytes: number;
}

/** What was copied into a directory. */
export interface LentFiles {
  readonly files: readonly LentFile[];
  /** Folders that were made for them, relative to `workspace/`; outer ones first. */
  readonly folders: readonly string[];
  /** What programs leave in these folders and no snapshot keeps, relative to `workspace/`. */
  readonly leftovers: readonly string[];
}

const filesPerTick = 32;
const readOnly = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Copies `files` into the restored directory `dir`. A file, link or folder of the session's own stays as it is.
 * `leftovers`: paths that are removed with the files where their folder was made for these. `owner`: user and group of
 * what is made; default: this process's.
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
  /** Whether a folder can take files: it is a directory and no link. */
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
 * Removes what `lendFiles` has copied, where its content is still the same. What was changed stays, with the folders
 * above it, and is the session's from here on. Nothing may write to `dir`: the sandbox is dead or holds no way to it.
 */
export async function takeBackFiles(dir: string, { files, folders, leftovers }: LentFiles): Promise<void> {
  const root = join(dir, "workspace");
  // An agent may have put a link in place of a folder: nothing is followed out of the directory.
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
    // Closed to this process: that is a change, too.
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

/** False where an agent has taken away the permissions, or a folder is not empty: it stays as the session has it. */
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

/** True as well where it cannot be seen. */
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
