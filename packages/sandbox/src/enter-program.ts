// The little program that hands a sandbox's listening sockets to this process: C where a compiler works, else Python.

import { createHash, randomUUID } from "node:crypto";
import { lstat, mkdir, readFile, rename } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findProgram, isExecutable, succeeds } from "./programs.ts";

export interface EnterProgram {
  /** Comes before PORTS PROGRAM ARGUMENTS. */
  readonly argv: readonly string[];
  /** Host path → path inside, read-only. */
  readonly binds: readonly (readonly [string, string])[];
}

const native = fileURLToPath(new URL("../native", import.meta.url));
const compilers = ["cc", "gcc", "clang"];

let found: Promise<EnterProgram | undefined> | undefined;

/** The fastest of this machine; undefined where it has neither a C compiler nor Python 3.9. */
export function findEnterProgram(): Promise<EnterProgram | undefined> {
  return (found ??= compiledEnter().then((compiled) => compiled ?? pythonEnter()));
}

/** Compiled once per machine and user, about 0.1 s, into a directory that nobody else may enter. */
export async function compiledEnter(): Promise<EnterProgram | undefined> {
  const source = join(native, "enter.c");
  const dir = await privateDirectory(await readFile(source));
  if (dir === undefined) return undefined;
  const binary = join(dir, "enter");
  if (!(await isExecutable(binary)) && !(await compile(source, binary))) return undefined;
  return { argv: ["/.sandbox/enter"], binds: [[binary, "/.sandbox/enter"]] };
}

/** Undefined when somebody else has taken its name. */
async function privateDirectory(source: Buffer): Promise<string | undefined> {
  const user = process.getuid?.();
  const digest = createHash("sha256").update(source).digest("hex").slice(0, 16);
  const dir = join(tmpdir(), `sandbox-enter-${user}-${digest}`);
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

export async function pythonEnter(): Promise<EnterProgram | undefined> {
  const python = await findProgram("python3");
  if (python === undefined) return undefined;
  const knowsHow = [python, "-I", "-S", "-c", "import socket; socket.send_fds"];
  if (!(await succeeds(knowsHow))) return undefined;
  return {
    argv: [python, "-I", "-S", "/.sandbox/enter.py"],
    binds: [[join(native, "enter.py"), "/.sandbox/enter.py"]],
  };
}
