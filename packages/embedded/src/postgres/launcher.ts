// Chooses the user, the program and the directory of PostgreSQL, which refuses to run as root, the usual user of
// containers.

import { spawn, spawnSync, type ChildProcess, type StdioOptions } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chownSync, lstatSync, mkdirSync, statSync } from "node:fs";
import path from "node:path";
import { text } from "node:stream/consumers";
import { copyBinaries, findBinaries, createMissingLinks, type Binaries } from "./binaries.ts";

/** How the programs are started, depending on what the machine allows. */
export type LaunchMode = "as-is" | "user-namespace" | "other-user";

export interface Launcher {
  readonly mode: LaunchMode;
  readonly version: string;
  /**
   * The directory of clusters, logs and state: the requested data directory, unless PostgreSQL's user cannot reach it.
   */
  readonly home: string;
  /** Gives a file or directory to PostgreSQL's user. */
  own(file: string): void;
  /** Resolves when it ends; throws with its output if it fails. */
  run(program: "initdb", args: readonly string[]): Promise<void>;
  spawn(program: "postgres", args: readonly string[], stdio: StdioOptions): ChildProcess;
}

interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/** `nobody` on Linux, and inside the user namespace the one id that needs no entry in any file. */
const nobody = 65_534;
const sharedParent = "/var/tmp";
/** Only what the programs need: an inherited PGDATA or LC_ALL must not change their behaviour. */
const env = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", TZ: "UTC" };
const namespaceWrap = ["unshare", "--user", `--map-user=${nobody}`, `--map-group=${nobody}`];

/** Prepares `dataDir` and decides how to run; `mode` forces a way, for tests. Throws with a remedy if none works. */
export function createLauncher(dataDir: string, mode?: LaunchMode): Launcher {
  const binaries = findBinaries();
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const chosen = mode ?? chooseMode(dataDir, binaries);
  if (chosen === "other-user") return launcherAsOtherUser(dataDir, binaries);
  const { uid } = statSync(dataDir);
  if (process.getuid && uid !== process.getuid()) {
    throw new Error(`${dataDir} belongs to user ${uid}: run as that user, or choose another data directory.`);
  }
  const root = createMissingLinks(binaries.root) ? binaries.root : copyBinaries(binaries, dataDir);
  const wrap = chosen === "user-namespace" ? namespaceWrap : [];
  return makeLauncher({ mode: chosen, home: dataDir, binaries, root, wrap });
}

function chooseMode(dataDir: string, binaries: Binaries): LaunchMode {
  if (process.getuid?.() !== 0) return "as-is";
  // Created by an ordinary user, or by an earlier run under another id: keep that owner.
  if (statSync(dataDir).uid !== 0) return "other-user";
  createMissingLinks(binaries.root);
  const [command = "", ...args] = [...namespaceWrap, path.join(binaries.root, "bin", "postgres"), "--version"];
  return spawnSync(command, args, { env, stdio: "ignore" }).status === 0 ? "user-namespace" : "other-user";
}

function launcherAsOtherUser(dataDir: string, binaries: Binaries): Launcher {
  const ids = otherUser(dataDir);
  const usable = createMissingLinks(binaries.root) && mayRun(path.join(binaries.root, "bin", "postgres"), ids);
  const root = usable ? binaries.root : copyBinaries(binaries, sharedParent);
  const home = mayEnter(dataDir, ids) ? dataDir : relocated(dataDir);
  chownSync(home, ids.uid, ids.gid);
  return makeLauncher({ mode: "other-user", home, binaries, root, wrap: [], ids });
}

function otherUser(dataDir: string): Ids {
  const { uid, gid } = statSync(dataDir);
  if (uid !== 0) return { uid, gid };
  const idOf = (flag: string): number =>
    Number(spawnSync("id", [flag, "postgres"], { encoding: "utf8" }).stdout?.trim() || nobody);
  return { uid: idOf("-u"), gid: idOf("-g") };
}

function mayRun(program: string, ids: Ids): boolean {
  return spawnSync(program, ["--version"], { ...ids, env, cwd: "/", stdio: "ignore" }).status === 0;
}

/** Returns whether that user can pass every directory above `dir`. */
function mayEnter(dir: string, ids: Ids): boolean {
  const parent = path.dirname(path.resolve(dir));
  return spawnSync("test", ["-x", parent], { ...ids, env, cwd: "/", stdio: "ignore" }).status === 0;
}

/** Returns a separate directory for this data directory, at a path that every user can reach. */
function relocated(dataDir: string): string {
  const name = createHash("sha256").update(path.resolve(dataDir)).digest("hex").slice(0, 16);
  const home = path.join(sharedParent, `dari-postgres-data-${name}`);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const { mode } = lstatSync(home);
  if ((mode & 0o077) !== 0) throw new Error(`${home} is open to others: remove it, or set DATABASE_URL.`);
  return home;
}

interface LauncherParts {
  readonly mode: LaunchMode;
  readonly home: string;
  readonly binaries: Binaries;
  readonly root: string;
  readonly wrap: readonly string[];
  readonly ids?: Ids;
}

function makeLauncher({ mode, home, binaries, root, wrap, ids }: LauncherParts): Launcher {
  const commandOf = (program: string, args: readonly string[]): [string, string[]] => {
    const [command = "", ...rest] = [...wrap, path.join(root, "bin", program), ...args];
    return [command, rest];
  };
  return {
    mode,
    version: binaries.version.replace(/-.*/, ""),
    home,
    own: (file) => ids && chownSync(file, ids.uid, ids.gid),
    async run(program, args) {
      // In its own session, so that Ctrl-C in a terminal reaches only this process.
      const child = spawn(...commandOf(program, args), { ...ids, env, cwd: "/", stdio: "pipe", detached: true });
      child.stdin.end();
      const closed = once(child, "close").catch((cause: unknown) => {
        throw new Error(`Could not run ${program}`, { cause });
      });
      const [said, complaint, [code, signal]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
      // A signal to the group of this process can reach the child before it has its session, and then stops both.
      if (signal) throw new DOMException(`${program} was ended by ${signal}`, "AbortError");
      if (code !== 0) throw new Error(`${program} failed: ${(complaint || said).trim()}`);
    },
    spawn: (program, args, stdio) =>
      spawn(...commandOf(program, args), { ...ids, env, cwd: "/", stdio, detached: true }),
  };
}
