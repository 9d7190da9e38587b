// Three ways to kill a whole process tree: `kill` resolves when all its processes are dead.

import { setTimeout as delay } from "node:timers/promises";
import {
  childrenOf,
  environmentContains,
  isAlive,
  listProcesses,
  readProcess,
  type ProcessIdentity,
  type ProcessRow,
} from "./read-proc.ts";
import { withTimeout } from "../launch/with-timeout.ts";

const killDeadlineMs = 30_000;
const pollMs = 1;
/** With `gently`, init itself is killed only after this time, in milliseconds. */
const gentleMs = 250;
/** How long to wait for the launcher to report init, in milliseconds. */
const initKnownWithinMs = 2_000;
/** How often init is looked at while its death is not reported, in milliseconds. */
const lookEveryMs = 1_000;
/** How long to wait until a launcher has stopped, in milliseconds. */
const stoppedWithinMs = 1_000;

export interface ProcessTree {
  kill(): Promise<void>;
}

/**
 * Returns the tree of a pid namespace. When its init dies, the kernel kills and reaps everything in the namespace
 * before the death completes, so waiting for init is waiting for all. `init` resolves to undefined if the launcher
 * ended without creating one.
 */
export function createNamespaceTree(o: {
  launcherPid: number;
  launcherExited: Promise<unknown>;
  init: Promise<ProcessIdentity | undefined>;
  /** Ends init by killing its children, for a launcher that reports a killed init on stderr. */
  gently?: boolean;
}): ProcessTree {
  let launcherIsGone = false;
  void o.launcherExited.then(() => (launcherIsGone = true));

  async function kill(): Promise<void> {
    const init = await withTimeout(initKnownWithinMs, o.init);
    if (init === undefined && !launcherIsGone) await killLauncher();
    if (init !== undefined && o.gently !== true) {
      if (isAlive(init)) signalQuietly(init.pid, "SIGKILL");
      await awaitReport(init);
    }
    // If the launcher was killed, it reported nothing about init, so check init itself.
    if (init !== undefined) await killInit(init);
    // A child of a template has no launcher. What reports its end can be stuck, and init is dead.
    if (init?.pid !== o.launcherPid) await o.launcherExited;
  }

  /** Waits for the report of init's death. It comes at once, so init itself is looked at only once a second. */
  async function awaitReport(init: ProcessIdentity): Promise<void> {
    const deadline = performance.now() + killDeadlineMs;
    const reported = o.launcherExited.then(() => true);
    while ((await withTimeout(lookEveryMs, reported)) === undefined) {
      if (!isAlive(init) || performance.now() > deadline) return;
    }
  }

  /** Kills the launcher, and an init that it has started but not reported. */
  async function killLauncher(): Promise<void> {
    signalQuietly(o.launcherPid, "SIGSTOP");
    const deadline = performance.now() + stoppedWithinMs;
    // Wait until the launcher is stopped, so that it starts no more processes.
    while (/[^TZX]/.test(readProcess(o.launcherPid)?.state ?? "X") && performance.now() < deadline) {
      await delay(pollMs);
    }
    const started = childrenOf(o.launcherPid).map(readProcess);
    signalQuietly(o.launcherPid, "SIGKILL");
    for (const child of started) if (child?.parentPid === o.launcherPid) await killInit(child);
  }

  async function killInit(init: ProcessIdentity): Promise<void> {
    const patienceEnds = performance.now() + (o.gently === true ? gentleMs : 0);
    await killUntil(
      () => !isAlive(init),
      () => {
        const victims = performance.now() < patienceEnds ? childrenOf(init.pid) : [init.pid];
        for (const pid of victims) signalQuietly(pid, "SIGKILL");
      },
    );
  }
  return { kill };
}

/** Finds a tree in /proc: by a mark in the environment of processes, by their sessions and by their parents. */
export function createMarkedTree(o: { pid: number; exited: Promise<unknown>; mark: string }): ProcessTree {
  const sessions = new Set([o.pid]);
  const known = new Set([o.pid]);

  async function findLiving(): Promise<ProcessRow[]> {
    const rows = (await listProcesses()).filter((row) => row.pid !== process.pid);
    const members = new Set<ProcessRow>();
    await Promise.all(
      rows.map(async (row) => {
        if (await environmentContains(row.pid, o.mark)) members.add(row);
      }),
    );
    for (let grew = true; grew;) {
      grew = false;
      for (const row of rows) {
        if (members.has(row) || !(sessions.has(row.session) || known.has(row.parentPid))) continue;
        members.add(row);
        grew = true;
      }
      for (const row of members) {
        known.add(row.pid);
        if (row.session === row.pid) sessions.add(row.session);
      }
    }
    return [...members].filter((row) => row.state !== "Z" && row.state !== "X");
  }

  async function kill(): Promise<void> {
    // Require two empty passes in a row: a process that forked while the table was read appears in the second pass.
    let emptyPasses = 0;
    await killUntil(
      async () => {
        const living = await findLiving();
        for (const row of living) signalQuietly(row.pid, "SIGKILL");
        emptyPasses = living.length === 0 ? emptyPasses + 1 : 0;
        return emptyPasses >= 2;
      },
      () => {},
    );
    await o.exited;
  }
  return { kill };
}

/** Finds a tree by its process group, for systems without /proc. Does not find a process that left the group. */
export function createGroupTree(o: { pid: number; exited: Promise<unknown> }): ProcessTree {
  async function kill(): Promise<void> {
    await killUntil(
      () => !signalQuietly(-o.pid, "SIGKILL"),
      () => {},
    );
    await o.exited;
  }
  return { kill };
}

async function killUntil(isDead: () => boolean | Promise<boolean>, killOnce: () => void): Promise<void> {
  const deadline = performance.now() + killDeadlineMs;
  while (!(await isDead())) {
    killOnce();
    if (performance.now() > deadline) throw new Error(`a process is still alive ${killDeadlineMs} ms after SIGKILL`);
    await delay(pollMs);
  }
}

/** Returns false if no process of ours with this pid could be signalled. */
function signalQuietly(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
