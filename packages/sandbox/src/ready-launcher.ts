// Keeps one launcher ready for the next sandbox: starting a process with its own control group from a large process is
// a good part of a sandbox's start.

import type { Launcher } from "./bwrap-launcher.ts";
import type { SandboxLimits } from "./types.ts";

export interface ReadyLauncher {
  /** Returns the ready launcher if it has the same limits, otherwise a new one. @throws as starting one does */
  take(limits: SandboxLimits): Promise<Launcher>;
  /** Called after a sandbox has ended: there may soon be time for the next launcher. */
  rest(): void;
  /** Ends the ready launcher. Later ones are not prepared. Idempotent. */
  close(): Promise<void>;
}

/**
 * While sandboxes start and end continuously, preparing launchers would only slow them down, and cleaning up after a
 * sandbox takes a moment too. In milliseconds.
 */
const restMs = 25;
/** After a start whose sandbox continues to run, in milliseconds. */
const settledMs = 500;

/** The next launcher is started when the worker is idle. It knows only the limits of its sandbox. */
export function keepLauncherReady(start: (limits: SandboxLimits) => Promise<Launcher>): ReadyLauncher {
  let ready: { key: string; launcher: Promise<Launcher | undefined> } | undefined;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let lastLimits: SandboxLimits | undefined;
  let ended: Promise<unknown> = Promise.resolve();

  function startNext(): void {
    if (ready !== undefined || lastLimits === undefined) return;
    // If it fails, the next sandbox reports the same error itself.
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
      startIn(settledMs);
      const waited = ready;
      ready = undefined;
      const taken = waited?.key === keyOf(limits) ? await waited.launcher : undefined;
      if (taken !== undefined && !taken.isGone) return taken;
      discard(waited?.launcher);
      return start(limits);
    },
    rest: () => startIn(restMs),
    async close() {
      isClosed = true;
      clearTimeout(timer);
      discard(ready?.launcher);
      ready = undefined;
      await ended;
    },
  };
}

/** The limits with which a launcher's group was created. */
function keyOf({ memoryBytes, processes, cpus }: SandboxLimits): string {
  return `${memoryBytes}/${processes}/${cpus}`;
}
