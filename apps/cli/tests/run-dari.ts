// Runs the command, in this process or in its own.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable, Writable } from "node:stream";
import { runCommandLine } from "../src/main.ts";

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

function environmentOf({ cwd, environment }: RunOptions): Record<string, string | undefined> {
  return {
    PATH: process.env["PATH"],
    HOME: cwd,
    // Not below HOME, which is the directory that is deployed.
    NODE_COMPILE_CACHE: compileCache,
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CEILING_DIRECTORIES: tmpdir(),
    ...environment,
  };
}

/** Runs the real command in a process of its own, which costs a hundred times what `runDari` costs. */
export function spawnDari(args: readonly string[], options: RunOptions): Promise<Run> {
  return new Promise((resolve) => {
    const where = { cwd: options.cwd, env: environmentOf(options) };
    const child = execFile(process.execPath, [bin, ...args], where, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 255;
      resolve({ code, stdout, stderr });
    });
    child.stdin?.end(options.input ?? "");
  });
}

let lastRun: Promise<unknown> = Promise.resolve();

/** Runs the command line in this process. Runs follow each other: each has the process's directory and environment. */
export function runDari(args: readonly string[], options: RunOptions): Promise<Run> {
  const run = lastRun.then(() => runHere(args, options));
  lastRun = run.catch(() => undefined);
  return run;
}

async function runHere(args: readonly string[], options: RunOptions): Promise<Run> {
  const before = { cwd: process.cwd(), env: process.env };
  const [stdout, stderr] = [createCollector(), createCollector()];
  process.chdir(options.cwd);
  process.env = environmentOf(options);
  try {
    const stdin = Readable.from(options.input === undefined ? [] : [options.input]) as unknown as NodeJS.ReadStream;
    const { signal } = new AbortController();
    const code = await runCommandLine(args, { stdin, stdout, stderr, environment: process.env, signal });
    return { code, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    process.chdir(before.cwd);
    process.env = before.env;
  }
}

function createCollector(): Writable & { text(): string } {
  const pieces: Buffer[] = [];
  const stream = new Writable({
    write(piece: Buffer, _encoding, done) {
      pieces.push(piece);
      done();
    },
  });
  return Object.assign(stream, { text: () => Buffer.concat(pieces).toString() });
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
