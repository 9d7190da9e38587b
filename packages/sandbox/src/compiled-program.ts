// Our own small C programs, compiled on the machine that runs them.

import { createHash, randomUUID } from "node:crypto";
import { lstat, mkdir, readFile, rename } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findProgram, isExecutable, succeeds } from "./programs.ts";

export const nativeDir = fileURLToPath(new URL("../native", import.meta.url));
const compilers = ["cc", "gcc", "clang"];

/**
 * Its path; undefined where there is no compiler, or nothing in the directory for temporary files may be executed.
 * Compiled once per machine and user, about 0.1 s, into a directory that nobody else may enter.
 */
export async function compiledProgram(name: "enter" | "mount" | "confine" | "own"): Promise<string | undefined> {
  const source = join(nativeDir, `${name}.c`);
  const dir = await privateDirectory(name, await readFile(source));
  if (dir === undefined) return undefined;
  const binary = join(dir, name);
  if (await isExecutable(binary)) return binary;
  return (await compile(source, binary)) && (await isExecutable(binary)) ? binary : undefined;
}

/** Undefined when somebody else has taken its name. */
async function privateDirectory(name: string, source: Buffer): Promise<string | undefined> {
  const user = process.getuid?.();
  const digest = createHash("sha256").update(source).digest("hex").slice(0, 16);
  const dir = join(tmpdir(), `sandbox-${name}-${user}-${digest}`);
  await mkdir(dir, { mode: 0o700 }).catch(() => {});
  const found = await lstat(dir).catch(() => undefined);
  const isOurs = found?.isDirectory() === true && found.uid === user && (found.mode & 0o077) === 0;
  return isOurs ? dir : undefined;
}

async function compile(source: string, binary: string): Promise<boolean> {
  // Several processes may do so at once; each puts a whole file in place.
  const fresh = `${binary}.${randomUUID()}`;
  for (const name of compilers) {
    const compiler = await findProgram(name);
    if (compiler === undefined) continue;
    // Linked statically it starts faster; the C library for that is not everywhere.
    for (const flags of [["-static"], []]) {
      const argv = [compiler, "-O2", "-Wall", ...flags, "-o", fresh, source];
      if (!(await succeeds(argv, { PATH: "/usr/bin:/bin" }))) continue;
      await rename(fresh, binary);
      return true;
    }
  }
  return false;
}
