// `npm start` and `npm run quickstart` as a user's shell starts them, in their own process group, and what is left
// after they have ended.

import { execFile, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { waitUntil } from "@dari/testkit";
import { machineEnvironment } from "./config.ts";
import { isAlive, parentOf, processesMarked } from "./processes.ts";
import { checkout } from "./program.ts";

export interface UserStart extends AsyncDisposable {
  readonly dataDir: string;
  /** The process that was started: npm, or what starts it. */
  readonly pid: number;
  readonly output: string;
  /** Resolves when the output matches. Throws with the output if the start ends before. */
  says(pattern: RegExp): Promise<void>;
  /** Whether the platform is npm's child, with no process between them. */
  readonly isBelowNpm: boolean;
  /** `group`: signals every process of the group, like a terminal and `timeout`; otherwise one process. */
  signal(to: "npm" | "group" | "platform", name: NodeJS.Signals): void;
  /** Closes the reading end of the output, as `| head` does. */
  closeOutput(): void;
  /** Resolves when no process of the start is alive, neither npm nor the platform. */
  ended(withinMs?: number): Promise<void>;
  /** Returns processes, mounts and control groups of this start, a line each. */
  left(): string[];
}

/** Builds the console, as the first start does, so that the starts under test need not. */
export async function buildConsole(): Promise<void> {
  await promisify(execFile)(process.execPath, [path.join(checkout, "scripts/run.mjs"), "console"]);
}

const sayWithinMs = 90_000;
const endWithinMs = 60_000;

/** What to hide from a start, by a mount in its own namespace. Needs root. */
const hiding = {
  bubblewrap: "mount --bind /dev/null /usr/bin/bwrap",
  "control groups": "mount -t tmpfs none /sys/fs/cgroup",
} as const;

/** `terminal`: the output is one, and npm is in a process group of its own. */
type Surroundings = keyof typeof hiding | "terminal";

export interface Place {
  readonly checkout: string;
  /** A command that becomes npm. */
  readonly through: readonly string[];
}

function launcherOf(surroundings: Surroundings | undefined, command: readonly string[]): readonly string[] {
  if (surroundings === undefined) return ["npm", ...command];
  if (surroundings === "terminal") return ["script", "-qec", ["npm", ...command].join(" "), "/dev/null"];
  return ["unshare", "--mount", "sh", "-c", `${hiding[surroundings]} && exec npm "$@"`, "sh", ...command];
}

/**
 * `command`: what npm runs, in another checkout if `place` names one. Uses a free port and a new data directory, which
 * is removed at the end.
 */
export function startAsUser(
  command: readonly string[],
  environment: Record<string, string> = {},
  surroundings?: Surroundings,
  place?: Place,
): UserStart {
  const dataDir = mkdtempSync(path.join(tmpdir(), "dari-start-"));
  const [program = "", ...args] = [...(place?.through ?? []), ...launcherOf(surroundings, command)];
  const child = spawn(program, args, {
    cwd: place?.checkout ?? checkout,
    env: { ...machineEnvironment(), DARI_DATA_DIR: dataDir, DARI_PORT: "0", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  let exited = false;
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += String(chunk)));
  child.once("error", (error) => (output += error.message));
  child.once("exit", () => (exited = true));
  const npm = child.pid ?? -1;
  let platform: number | undefined;
  const findPlatform = (): number | undefined => (platform ??= ownerOf(dataDir));
  const left = (): string[] => [
    ...processesMarked(dataDir).map((line) => `process ${line}`),
    ...mountsIn(dataDir).map((line) => `mount ${line}`),
    ...(platform === undefined ? [] : groupsOf(platform).map((dir) => `control group ${dir}`)),
  ];
  return {
    dataDir,
    pid: npm,
    get output() {
      return output;
    },
    get isBelowNpm() {
      return parentOf(findPlatform() ?? -1) === npm;
    },
    async says(pattern) {
      const what = `the start to say ${pattern.source}`;
      await waitUntil(() => pattern.test(output) || exited, { what, timeoutMs: sayWithinMs });
      findPlatform();
      if (!pattern.test(output)) throw new Error(`it ended first:\n${output}`);
    },
    signal(to, name) {
      if (to === "group") process.kill(-npm, name);
      else process.kill(to === "npm" ? npm : (findPlatform() ?? npm), name);
    },
    closeOutput() {
      child.stdout.destroy();
      child.stderr.destroy();
    },
    async ended(withinMs = endWithinMs) {
      const isOver = (): boolean => exited && (platform === undefined || !isAlive(platform));
      await waitUntil(isOver, { what: "the start to end", timeoutMs: withinMs });
    },
    left,
    async [Symbol.asyncDispose]() {
      const pids = processesMarked(dataDir).map((line) => Number.parseInt(line, 10));
      for (const pid of pids) kill(pid);
      for (const target of mountsIn(dataDir).toReversed()) spawnSync("umount", ["-l", target]);
      const what = "what the test left to end";
      await waitUntil(() => processesMarked(dataDir).length === 0, { what, timeoutMs: endWithinMs });
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function ownerOf(dataDir: string): number | undefined {
  try {
    return (JSON.parse(readFileSync(path.join(dataDir, "platform.json"), "utf8")) as { pid: number }).pid;
  } catch {
    return undefined;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has already ended.
  }
}

function mountsIn(dir: string): string[] {
  const table = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return table.map((line) => line.split(" ")[4] ?? "").filter((target) => target.startsWith(dir));
}

/** The names of the sandboxes' groups contain the pid of the process that created them. */
function groupsOf(pid: number): string[] {
  try {
    const entries = readdirSync("/sys/fs/cgroup", { recursive: true, encoding: "utf8" });
    return entries.filter((name) => path.basename(name).startsWith(`dari-${pid}-t`) && !name.endsWith("tasks"));
  } catch {
    return [];
  }
}
