// Runs the real command in a separate process.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const bin = join(import.meta.dirname, "..", "bin", "dari.mjs");
const compileCache = join(import.meta.dirname, "..", "..", "..", ".cache", "dari");

export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: string;
}

export function runDari(args: readonly string[], options: RunOptions): Promise<Run> {
  const environment = {
    PATH: process.env["PATH"],
    HOME: options.cwd,
    // Not below HOME, which is the directory that is deployed.
    NODE_COMPILE_CACHE: compileCache,
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CEILING_DIRECTORIES: tmpdir(),
    ...options.environment,
  };
  return new Promise((resolve) => {
    const where = { cwd: options.cwd, env: environment };
    const child = execFile(process.execPath, [bin, ...args], where, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 255;
      resolve({ code, stdout, stderr });
    });
    child.stdin?.end(options.input ?? "");
  });
}

export interface Tree extends AsyncDisposable {
  readonly path: string;
}

/** Creates a temporary directory with these files, removed when disposed of. */
export async function temporaryTree(files: Readonly<Record<string, string>>): Promise<Tree> {
  const path = await mkdtemp(join(tmpdir(), "dari-cli-test-"));
  await writeTree(path, files);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export async function writeTree(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
}
