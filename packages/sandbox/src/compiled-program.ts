// Our own small C programs: compiled on the machine that runs them, or when its image was built.

import { createHash, randomUUID } from "node:crypto";
import { lstat, mkdir, readdir, readFile, rename } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findProgram, isExecutable, succeeds } from "./programs.ts";

export const nativeDir = fileURLToPath(new URL("../../native/programs", import.meta.url));
const compilers = ["cc", "gcc", "clang"];
/** A file of `nativeDir`, without its ending. */
export type OwnProgram = (typeof ownPrograms)[number];
const ownPrograms = [
  "enter",
  "mount",
  "confine",
  "own",
  "group",
  "start",
  "container",
  "relay",
  "share",
  "template",
  "namespace",
  "capabilities",
] as const;
/** Those that Node loads into its process. */
const modules: readonly string[] = ["capabilities"];
/** Where an image has them; trusted like the sources beside it. */
const shippedDir = join(nativeDir, "compiled");

/**
 * Its path; undefined where it was not shipped and there is no compiler, or nothing in the directory for temporary
 * files may be executed. Compiled once per machine and user, about 0.1 s, into a directory that nobody else may enter.
 */
export async function compiledProgram(name: OwnProgram, shipped = shippedDir): Promise<string | undefined> {
  const source = join(nativeDir, `${name}.c`);
  const digest = await digestOf(source);
  const ready = join(shipped, `${name}-${digest}`);
  if (await isExecutable(ready)) return ready;
  const dir = await privateDirectory(`sandbox-${name}-${process.getuid?.()}-${digest}`);
  if (dir === undefined) return undefined;
  const binary = join(dir, name);
  if (await isExecutable(binary)) return binary;
  return (await compile(name, source, binary)) && (await isExecutable(binary)) ? binary : undefined;
}

/** Compiles all of them, for an image without a compiler. @throws where one cannot be compiled. */
export async function shipPrograms(dir = shippedDir): Promise<void> {
  await mkdir(dir, { recursive: true });
  for (const name of ownPrograms) {
    const source = join(nativeDir, `${name}.c`);
    const isMade = await compile(name, source, join(dir, `${name}-${await digestOf(source)}`));
    if (!isMade) throw new Error(`${source} cannot be compiled; that needs a C compiler and its library's headers`);
  }
}

/** What was compiled from another source is not used, nor with other headers. */
async function digestOf(source: string): Promise<string> {
  const headers = (await readdir(nativeDir)).filter((name) => name.endsWith(".h")).sort();
  const digest = createHash("sha256");
  for (const path of [source, ...headers.map((name) => join(nativeDir, name))]) digest.update(await readFile(path));
  return digest.digest("hex").slice(0, 16);
}

/** Undefined when somebody else has taken its name. */
async function privateDirectory(name: string): Promise<string | undefined> {
  const dir = join(tmpdir(), name);
  await mkdir(dir, { mode: 0o700 }).catch(() => {});
  const found = await lstat(dir).catch(() => undefined);
  const isOurs = found?.isDirectory() === true && found.uid === process.getuid?.() && (found.mode & 0o077) === 0;
  return isOurs ? dir : undefined;
}

async function compile(name: OwnProgram, source: string, binary: string): Promise<boolean> {
  // Several processes may do so at once; each puts a whole file in place.
  const fresh = `${binary}.${randomUUID()}`;
  // Linked statically it starts faster; the C library for that is not everywhere.
  const ways = modules.includes(name) ? [["-shared", "-fPIC"]] : [["-static"], []];
  for (const each of compilers) {
    const compiler = await findProgram(each);
    if (compiler === undefined) continue;
    for (const flags of ways) {
      const argv = [compiler, "-O2", "-Wall", ...flags, "-o", fresh, source];
      if (!(await succeeds(argv, { PATH: "/usr/bin:/bin" }))) continue;
      await rename(fresh, binary);
      return true;
    }
  }
  return false;
}
