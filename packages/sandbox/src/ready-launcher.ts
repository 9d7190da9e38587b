// Keeps one launcher ready for the sandbox that comes next: to start a process from a large one, with a control group
// of its own, is a good part of what a start costs.

import type { Launcher } from "./bwrap-launcher.ts";
import type { SandboxLimits } from "./types.ts";

export interface ReadyLauncher {
  /** The one that waits, where it has the same limits; else a new one. @throws what starting one throws */
  take(limits: SandboxLimits): Promise<Launcher>;
  /** Called when a sandbox has ended: soon there may be time for the next one's launcher. */
  rest(): void;
  /** Ends the one that waits; from here on none does. Idempotent. */
  close(): Promise<void>;
}

/**
 * While sandboxes start and end all the time, to start launchers ahead would only come in their way; what is done with
 * a sandbox that has ended takes a moment, too.
 */
const restMs = 25;
/** After a start, where its sandbox goes on. */
const settledMs = 500;

/** The next one is started when there is nothing better to do. It knows nothing of a sandbox but its limits. */
export function keepLauncherReady(start: (limits: SandboxLimits) => Promise<Launcher>): ReadyLauncher {
  let ready: { key: string; launcher: Promise<Launcher | undefined> } | undefined;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let lastLimits: SandboxLimits | undefined;
  let ended: Promise<unknown> = Promise.resolve();

  function startNext(): void {
    if (ready !== undefined || lastLimits === undefined) return;
    // What is wrong the sandbox that comes next finds out for itself.
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

/** What a launcher's group was made with. */
function keyOf({ memoryBytes, processes, cpus }: SandboxLimits): string {
  return `${memoryBytes}/${processes}/${cpus}`;
}
