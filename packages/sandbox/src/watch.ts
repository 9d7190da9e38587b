// Looks at a running sandbox a few times a second and ends it when it uses more than it may.

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { watchDisk } from "./disk-use.ts";
import { measureTree } from "./tree-use.ts";
import type { Exceeded, SandboxLimits } from "./types.ts";

export interface Watch {
  /** The first bound that was passed. */
  exceeded(): Exceeded | undefined;
  stop(): void;
}

const lookEveryMs = 200;

/**
 * `init`: whose descendants are counted, absent where control groups bound them. `onExceeded` is called at most once.
 */
export function watchSandbox(o: {
  slotDir: () => string;
  limits: SandboxLimits;
  init: Promise<number | undefined> | undefined;
  onExceeded(): void;
}): Watch {
  const { diskBytes = Infinity, diskFiles = Infinity, memoryBytes = Infinity, processes = Infinity } = o.limits;
  const stopped = new AbortController();
  let found: Exceeded | undefined;
  const isDiskBound = diskBytes !== Infinity || diskFiles !== Infinity;
  let dir: string | undefined;
  let disk: ReturnType<typeof watchDisk> | undefined;

  /** The directories change once, when a sandbox that waited is claimed. */
  function isDiskOver(): Promise<boolean> | undefined {
    if (!isDiskBound) return undefined;
    if (dir !== o.slotDir()) {
      dir = o.slotDir();
      disk = watchDisk([join(dir, "workspace"), join(dir, "state")], { bytes: diskBytes, files: diskFiles });
    }
    return disk?.isOver();
  }

  async function look(init: number | undefined): Promise<Exceeded | undefined> {
    if (init !== undefined && (memoryBytes !== Infinity || processes !== Infinity)) {
      const use = await measureTree(init);
      if (use.memoryBytes > memoryBytes) return "memory";
      if (use.processes > processes) return "processes";
    }
    return (await isDiskOver()) === true ? "disk" : undefined;
  }

  async function run(): Promise<void> {
    const init = await o.init;
    while (!stopped.signal.aborted) {
      // A directory that cannot be looked at is looked at again.
      found = await look(init).catch(() => undefined);
      if (found !== undefined && !stopped.signal.aborted) return o.onExceeded();
      await delay(lookEveryMs, undefined, { ref: false, signal: stopped.signal }).catch(() => {});
    }
  }
  if (isDiskBound || o.init !== undefined) void run();
  return { exceeded: () => found, stop: () => stopped.abort() };
}
