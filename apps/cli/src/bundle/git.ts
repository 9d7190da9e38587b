// Asks git which files belong to a directory, and for its commit.

import { execFile } from "node:child_process";
import { lstat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import type { Environment } from "../config.ts";
import { invalid } from "../exit.ts";
import { systemErrorCode } from "../system-error.ts";

const run = promisify(execFile);
const outputBytesMax = 64 * 1024 * 1024;

export interface Git {
  /** Lists tracked files, and untracked ones that are not ignored: paths relative to the root, as bytes. */
  listFiles(): Promise<Buffer>;
  commit(): Promise<string | undefined>;
  branch(): Promise<string | undefined>;
  /** The name of the commit's author, without the address. */
  author(): Promise<string | undefined>;
  /** The first line of the commit's message. */
  subject(): Promise<string | undefined>;
  /** Returns whether the root differs from the commit. */
  isDirty(): Promise<boolean | undefined>;
}

/**
 * Returns git's view of `root`; undefined if `root` is in no work tree, or is ignored by the one around it.
 * @throws CliError if git cannot read the repository: without git, ignored files are unknown.
 */
export async function openGit(root: string, environment: Environment): Promise<Git | undefined> {
  const git = (...args: string[]) => runGit(root, environment, args);
  try {
    const inside = await git("rev-parse", "--is-inside-work-tree");
    if (inside.toString().trim() !== "true") return undefined;
  } catch (error) {
    if (!(await hasRepository(root))) return undefined;
    throw invalid(`cannot read the git repository of ${root}: ${reasonOf(error)}`);
  }
  const succeeds = (...args: string[]) =>
    git(...args).then(
      () => true,
      () => false,
    );
  if (await succeeds("check-ignore", "--quiet", ".")) return undefined;
  const line = (...args: string[]) =>
    git(...args).then(
      (text) => text.toString().trim(),
      () => undefined,
    );
  return {
    listFiles: () => git("ls-files", "--cached", "--others", "--exclude-standard", "-z"),
    commit: () => line("rev-parse", "--verify", "--quiet", "HEAD"),
    branch: () => line("symbolic-ref", "--quiet", "--short", "HEAD"),
    author: () => line("log", "-1", "--format=%an"),
    subject: () => line("log", "-1", "--format=%s"),
    async isDirty() {
      const status = await line("status", "--porcelain", "--untracked-files=normal", "-z", "--", ".");
      return status === undefined ? undefined : status !== "";
    },
  };
}

async function runGit(root: string, environment: Environment, args: readonly string[]): Promise<Buffer> {
  const { stdout } = await run("git", ["-C", root, ...args], {
    encoding: "buffer",
    maxBuffer: outputBytesMax,
    env: environmentForGit(environment),
  });
  return stdout;
}

/** Inside a git hook, these variables would make git use another repository. */
function environmentForGit(environment: Environment): NodeJS.ProcessEnv {
  const { GIT_DIR: _dir, GIT_WORK_TREE: _tree, GIT_INDEX_FILE: _index, GIT_PREFIX: _prefix, ...rest } = environment;
  return { ...rest, LC_ALL: "C", GIT_OPTIONAL_LOCKS: "0" };
}

async function hasRepository(root: string): Promise<boolean> {
  for (let directory = resolve(root); ; directory = dirname(directory)) {
    const found = await lstat(join(directory, ".git")).then(
      () => true,
      () => false,
    );
    if (found) return true;
    if (dirname(directory) === directory) return false;
  }
}

function reasonOf(error: unknown): string {
  if (systemErrorCode(error) === "ENOENT") return "git is not installed";
  const text = typeof error === "object" && error !== null && "stderr" in error ? String(error.stderr).trim() : "";
  return text === "" ? String(error) : text;
}
