// Copies the host's /etc files for sandboxes into one directory. Otherwise each start of a sandbox would need two
// mounts for each file, and would read the table of mounts for each.

import { createHash, type Hash } from "node:crypto";
import {
  chmod,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  symlink,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export interface SystemFiles {
  /** The directory that replaces /etc. */
  readonly dir: string;
}

/**
 * Maximum age of a copy. Sandboxes then see changes of the host, and no cleaner of temporary files removes the copy.
 */
const freshForMs = 10 * 60_000;

/**
 * Copies `paths`, all in /etc, and adds `added` by name. Leaves out missing and unreadable files. Links into /usr and
 * links below a path stay links, and their targets are not read.
 * @throws the system's error if the first copy cannot be created; later ones are retried
 */
export async function openSystemFiles(
  paths: readonly string[],
  added: Readonly<Record<string, string>>,
): Promise<SystemFiles> {
  let dir = await copySystemFiles(paths, added);
  let copiedAt = performance.now();
  async function copyAgain(): Promise<void> {
    dir = await copySystemFiles(paths, added);
  }
  return {
    get dir() {
      if (performance.now() - copiedAt > freshForMs) {
        copiedAt = performance.now();
        void copyAgain().catch(() => {});
      }
      return dir;
    },
  };
}

/** Stores equal files in one directory of this user that every user can read. Resolves with its path. */
export async function copySystemFiles(
  paths: readonly string[],
  added: Readonly<Record<string, string>>,
): Promise<string> {
  const fresh = await mkdtemp(join(tmpdir(), "sandbox-etc-"));
  try {
    for (const path of paths) await copyPath(path, join(fresh, path.slice("/etc/".length))).catch(() => {});
    for (const [name, path] of Object.entries(added)) await cp(path, join(fresh, name));
    await openToAll(fresh);
    const digest = await digestOf(fresh);
    const dir = join(tmpdir(), `sandbox-system-${process.getuid?.()}-${digest}`);
    if ((await isOurs(dir)) && (await digestOf(dir)) !== digest) await rm(dir, { recursive: true, force: true });
    // If the directory exists already, this changes nothing.
    await rename(fresh, dir).catch(() => {});
    if (!(await isOurs(dir))) throw new Error(`${dir} belongs to another user or has other permissions; remove it`);
    return dir;
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function copyPath(from: string, to: string): Promise<void> {
  const real = await realpath(from);
  await mkdir(dirname(to), { recursive: true });
  if (real.startsWith("/usr/")) return symlink(real, to);
  const filter = async (path: string): Promise<boolean> => {
    const found = await lstat(path);
    return found.isFile() || found.isDirectory() || found.isSymbolicLink();
  };
  await cp(real, to, { recursive: true, verbatimSymlinks: true, filter });
}

/** Makes all files readable for every user, whatever the umask is. */
async function openToAll(path: string): Promise<void> {
  const found = await lstat(path);
  if (found.isSymbolicLink()) return;
  await chmod(path, found.isDirectory() ? 0o755 : found.mode | 0o444);
  if (!found.isDirectory()) return;
  for (const name of await readdir(path)) await openToAll(join(path, name));
}

async function isOurs(dir: string): Promise<boolean> {
  const found = await lstat(dir).catch(() => undefined);
  return found?.isDirectory() === true && found.uid === process.getuid?.() && (found.mode & 0o777) === 0o755;
}

async function digestOf(dir: string): Promise<string> {
  const hash = createHash("sha256");
  await addTree(dir, hash);
  return hash.digest("hex").slice(0, 16);
}

async function addTree(dir: string, hash: Hash): Promise<void> {
  for (const name of (await readdir(dir)).sort()) {
    const path = join(dir, name);
    const found = await lstat(path);
    hash.update(`${name}\0${found.mode} ${found.size}\0`);
    if (found.isSymbolicLink()) hash.update(await readlink(path));
    else if (found.isFile()) hash.update(await readFile(path));
    else await addTree(path, hash);
    hash.update("\0");
  }
}
