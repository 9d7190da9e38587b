// Moves an ordinary user's worker into its own user and mount namespace, in which it may mount like root: this enables
// preloaded and forked sandboxes and workspaces as overlays.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { assertNativePrograms, nativeCommand, nativeProblem } from "../native-program.ts";
import { hasMountCapability, loadNativeModule, withholdCapabilities } from "./capabilities.ts";
import { firstSubordinateId, subordinateIdsMax } from "./mapped-ids.ts";

/** What this machine allows an ordinary user, and what would allow more. */
export interface NamespaceState {
  /** `unneeded`: as root, or not on Linux. `refused`: this process runs outside, as it was started. */
  readonly state: "unneeded" | "entered" | "refused";
  /** Why it was refused, or why it contains no subordinate ids; otherwise "". */
  readonly reason: string;
  /** A command or setting that changes this; "" if there is none. */
  readonly advice: string;
}

/** Time limit of one try of the namespace, in milliseconds. */
const tryWithinMs = 10_000;
/** The descriptor of scripts/end-with-parent.mjs, which Node would close when it executes another program. */
const parentPipe = 3;

let state: NamespaceState = { state: "unneeded", reason: "", advice: "" };

/** Returns the result of `enterOwnNamespace`. */
export function getNamespaceState(): NamespaceState {
  return state;
}

/**
 * Replaces this process by the same program in its own namespace and does not return, if an ordinary user runs it on
 * Linux and the machine allows it. Otherwise, and inside the namespace, it returns; `getNamespaceState` then says
 * which. Call it before anything is opened or started.
 */
export async function enterOwnNamespace(): Promise<void> {
  if (process.platform !== "linux" || process.geteuid!() === 0) return;
  if (hasMountCapability()) {
    await withholdCapabilities();
    state = { state: "entered", ...missingIds() };
    return;
  }
  try {
    enter();
  } catch (error) {
    const reason = (error as Error).message;
    // The reason that native programs cannot run ends with its own remedy.
    state = { state: "refused", reason, advice: nativeProblem() === undefined ? kernelAdvice() : "" };
  }
}

/** Returns undefined for a user without an account, as in a container that was given a number. */
function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

function enter(): never {
  const uid = process.geteuid!();
  // Already inside, but the capabilities did not survive: another try would end here as well.
  if (new RegExp(`^\\s*${uid}\\s+${uid}\\s+1\\s*$`, "m").test(readFileSync("/proc/self/uid_map", "latin1"))) {
    throw new Error("the capabilities of a namespace do not survive the start of Node");
  }
  if (Number(readSetting("kernel.overflowuid")) === uid) {
    throw new Error(`as user ${uid}, files of all users that are not in the namespace would look like its own`);
  }
  assertNativePrograms();
  const module = loadNativeModule();
  const ranges = subordinateRanges();
  const own: readonly string[] = ["-", "-"];
  const ids = ranges !== undefined && tried(ranges) === undefined ? ranges : own;
  const reason = ids === own ? tried(own) : undefined;
  if (reason !== undefined) throw new Error(reason);
  if (process.execArgv.some((argument) => argument.endsWith("/end-with-parent.mjs"))) module.keepOpen(parentPipe);
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const [file, name] = nativeCommand("namespace");
  return process.execve!(file, [file, name, "run", ...ids, ...again]);
}

/** Returns undefined if it works, otherwise why not. */
function tried(ids: readonly string[]): string | undefined {
  const [file, name] = nativeCommand("namespace");
  const { status, stderr, error } = spawnSync(file, [name, "try", ...ids, process.execPath], {
    env: {},
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
    timeout: tryWithinMs,
  });
  if (status === 0) return undefined;
  return stderr?.trim().split("\n").at(-1) || error?.message || `the try ended with ${status}`;
}

/** Returns START:COUNT of /etc/subuid and /etc/subgid; undefined if one has none for this user. */
function subordinateRanges(): [uids: string, gids: string] | undefined {
  const uid = process.geteuid!();
  const owners = [userName(), String(uid)];
  const [uids, gids] = ["/etc/subuid", "/etc/subgid"].map((file) => rangeOf(file, owners));
  if (uids === undefined || gids === undefined) return undefined;
  const count = Math.min(uids.count, gids.count, subordinateIdsMax);
  // The own id is mapped to itself and cannot be mapped twice.
  const isFree = (id: number): boolean => id < firstSubordinateId || id >= firstSubordinateId + count;
  if (!isFree(uid) || !isFree(process.getegid!())) return undefined;
  return [`${uids.start}:${count}`, `${gids.start}:${count}`];
}

function rangeOf(file: string, owners: readonly (string | undefined)[]): { start: number; count: number } | undefined {
  let lines: string[];
  try {
    lines = readFileSync(file, "utf8").split("\n");
  } catch {
    return undefined;
  }
  const ranges = lines
    .map((line) => line.split(":"))
    .filter(([owner = ""]) => owners.includes(owner))
    .map(([, start, count]) => ({ start: Number(start), count: Number(count) }))
    .filter(({ start, count }) => start > 0 && count > 0);
  return ranges.sort((a, b) => b.count - a.count)[0];
}

/** Returns why only the own id is mapped in this process's namespace. */
function missingIds(): { reason: string; advice: string } {
  if (readFileSync("/proc/self/uid_map", "latin1").trim().includes("\n")) return { reason: "", advice: "" };
  if (subordinateRanges() === undefined) {
    const name = userName();
    return {
      reason: "/etc/subuid and /etc/subgid have no range for this user",
      advice: name === undefined ? "" : `sudo usermod --add-subuids 300000-304095 --add-subgids 300000-304095 ${name}`,
    };
  }
  return { reason: "newuidmap and newgidmap do not work here", advice: "sudo apt-get install uidmap" };
}

/** Kernel settings that forbid the namespace, each with the value that allows it. */
const settings = [
  { name: "kernel.apparmor_restrict_unprivileged_userns", forbids: "1", allows: "0" },
  { name: "kernel.unprivileged_userns_clone", forbids: "0", allows: "1" },
  { name: "user.max_user_namespaces", forbids: "0", allows: "15000" },
  { name: "user.max_mnt_namespaces", forbids: "0", allows: "15000" },
];

function kernelAdvice(): string {
  for (const { name, forbids, allows } of settings) {
    if (readSetting(name) === forbids) return `sudo sysctl -w ${name}=${allows}`;
  }
  return "";
}

function readSetting(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name.replaceAll(".", "/")}`, "latin1").trim();
  } catch {
    return undefined;
  }
}
