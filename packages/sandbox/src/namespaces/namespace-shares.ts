// Limits resources that the kernel counts per host user or per machine, as far as the sandbox's namespaces can have a
// limit of their own.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { nativeCommand } from "@dari/native";

/** Maximum number of inotify instances of one sandbox. The kernel allows a host user 128. */
export const inotifyInstances = 16;
/** Maximum number of pseudoterminals of one sandbox. The kernel allows 3,072 for all containers of a machine. */
export const terminals = 64;
/** One sandbox gets at most one part in this many of a host user's inotify watches. */
const watchesPart = 8;

export interface NamespaceShares {
  /** Sets the limits of a process's namespaces in the background. */
  apply(pid: number): void;
}

/** Opens the limits. The first call of `apply` starts the native program. */
export function openNamespaceShares(): NamespaceShares {
  let program: ReturnType<typeof start> | undefined;
  return {
    apply(pid) {
      if (program === undefined || program.isGone()) program = start();
      program.write(`${pid} ${inotifyInstances} ${inotifyWatches()} ${terminals}\n`);
    },
  };
}

/** Returns the maximum number of inotify watches of one sandbox. */
export function inotifyWatches(): number {
  return Math.floor(Number(readFileSync("/proc/sys/fs/inotify/max_user_watches", "latin1")) / watchesPart);
}

function start(): { write(line: string): void; isGone(): boolean } {
  // The program ends when its input ends, and so when this process ends.
  const [file, ...args] = nativeCommand("share");
  const child = spawn(file, args, { env: {}, stdio: ["pipe", "ignore", "ignore"], detached: true });
  let isGone = false;
  const end = (): void => void (isGone = true);
  child.once("error", end);
  child.once("exit", end);
  child.stdin.on("error", () => {});
  child.unref();
  (child.stdin as unknown as { unref(): void }).unref();
  return { write: (line) => void child.stdin.write(line), isGone: () => isGone };
}
