// Reports that this worker has no memory for a single turn. The worker then offers no slots, and nothing else says why.

import { loop, type Logger } from "@dari/runtime";
import type { Gate } from "./gate.ts";
import type { MemoryRoom } from "@dari/sandbox-pool";

export interface MemoryWatch {
  /** Rejects, with the numbers, if there was no memory for a single turn for `shortMs`. */
  check(): Promise<void>;
  stop(): Promise<void>;
}

interface MemoryWatchOptions {
  readonly gate: Pick<Gate, "offered" | "closed">;
  readonly room: () => Pick<MemoryRoom, "availableBytes" | "neededBytes">;
  readonly log: Logger;
  /** How long memory may be short before it is reported, in milliseconds (default: 30 s). */
  readonly shortMs?: number;
  /** How often memory is checked, in milliseconds (default: 2 s). */
  readonly checkEveryMs?: number;
}

const defaultShortMs = 30_000;
/** Like the worker's announcement, with which it shares a reading of the memory. */
const defaultCheckEveryMs = 2_000;
const fix = "end other programs on this machine, or give the worker more memory";

/** Logs once when memory has been short for too long, and once when there is memory again. */
export function watchMemory(options: MemoryWatchOptions): MemoryWatch {
  const { gate, room, log, shortMs = defaultShortMs, checkEveryMs = defaultCheckEveryMs } = options;
  const stopping = new AbortController();
  let shortSince: number | undefined;
  let isReported = false;
  const shortForMs = (): number => (shortSince === undefined ? 0 : performance.now() - shortSince);
  const checkMemory = (): void => {
    // Running turns have their memory. A closed gate offers nothing because the worker stops.
    if (gate.offered > 0 || gate.closed) {
      if (isReported) log.info({}, "worker.has_room_again");
      shortSince = undefined;
      isReported = false;
      return;
    }
    shortSince ??= performance.now();
    if (isReported || shortForMs() < shortMs) return;
    isReported = true;
    const { availableBytes, neededBytes } = room();
    const numbers = { available_bytes: availableBytes, needed_bytes: neededBytes };
    log.warn({ short_ms: Math.round(shortForMs()), ...numbers, fix }, "worker.no_room_for_a_turn");
  };
  const checking = loop({
    name: "watch-memory",
    everyMs: checkEveryMs,
    signal: stopping.signal,
    log,
    runOnce: () => Promise.resolve(checkMemory()),
  });
  return {
    check() {
      if (!isReported) return Promise.resolve();
      const { availableBytes, neededBytes } = room();
      const seconds = Math.round(shortForMs() / 1_000);
      const why = `${showMiB(availableBytes)} available, a turn starts with ${showMiB(neededBytes)}`;
      return Promise.reject(new Error(`no memory for a single turn for ${seconds} s (${why}); ${fix}`));
    },
    async stop() {
      stopping.abort();
      await checking.done;
    },
  };
}

function showMiB(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2).toLocaleString("en-US")} MiB`;
}
