// Keeps one launcher ready for the next sandbox. A large part of a sandbox's start time is spent on starting a process
// with its own control group.

import type { Launcher } from "../namespaces/launcher.ts";
import type { SandboxLimits } from "../types.ts";

export interface ReadyLauncher {
  /** Returns the ready launcher if it has the same limits, otherwise a new launcher. @throws SandboxStartError */
  take(limits: SandboxLimits): Promise<Launcher>;
  /** Call it after a sandbox has ended: the worker may soon be idle, which is the time to start the next launcher. */
  onSandboxEnded(): void;
  /** Ends the ready launcher, and prepares no others. Idempotent. */
  close(): Promise<void>;
}

/**
 * The pause between the end of a sandbox and the start of the next launcher, in milliseconds. While sandboxes start and
 * end continuously, starting launchers would only slow them down, and the cleanup after a sandbox takes a moment too.
 */
const afterEndMs = 25;
/**
 * The pause between the start of a sandbox that continues to run and the start of the next launcher, in milliseconds.
 */
const afterStartMs = 500;

/** Starts the next launcher when the worker is idle, with the limits of the last sandbox. */
export function keepLauncherReady(start: (limits: SandboxLimits) => Promise<Launcher>): ReadyLauncher {
  let ready: { key: string; launcher: Promise<Launcher | undefined> } | undefined;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let lastLimits: SandboxLimits | undefined;
  let ended: Promise<unknown> = Promise.resolve();

  function startNext(): void {
    if (ready !== undefined || lastLimits === undefined) return;
    // If the start fails, the next sandbox starts a launcher itself and reports the same error.
    ready = { key: keyOf(lastLimits), launcher: start(lastLimits).catch(() => undefined) };
  }

  function startIn(ms: number): void {
    clearTimeout(timer);
    if (!isClosed) timer = setTimeout(startNext, ms);
  }

  function discard(unused: Promise<Launcher | undefined> | undefined): void {
    ended = Promise.all([ended, unused?.then((launcher) => launcher?.discard())]);
  }

  return {
    async take(limits) {
      lastLimits = limits;
      startIn(afterStartMs);
      const prepared = ready;
      ready = undefined;
      const taken = prepared?.key === keyOf(limits) ? await prepared.launcher : undefined;
      if (taken !== undefined && !taken.isGone) return taken;
      discard(prepared?.launcher);
      return start(limits);
    },
    onSandboxEnded: () => startIn(afterEndMs),
    async close() {
      isClosed = true;
      clearTimeout(timer);
      discard(ready?.launcher);
      ready = undefined;
      await ended;
    },
  };
}

/** Returns the limits of a launcher's control group as one text. */
function keyOf({ memoryBytes, processes, cpus }: SandboxLimits): string {
  return `${memoryBytes}/${processes}/${cpus}`;
}
