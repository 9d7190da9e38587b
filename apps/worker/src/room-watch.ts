// Notices a worker that could run no turn at all for want of memory: it offers nothing, and nobody would know why.

import { loop, type Logger } from "@dari/runtime";
import type { Gate } from "./gate.ts";
import type { Room } from "@dari/sandbox-pool";

export interface RoomWatch {
  /** Rejects, with the numbers, once there has been no room for a single turn for a while. */
  check(): Promise<void>;
  stop(): Promise<void>;
}

interface RoomWatchOptions {
  readonly gate: Pick<Gate, "offered" | "closed">;
  readonly room: () => Room;
  readonly log: Logger;
  /** How long there may be no room before anybody is told. Milliseconds; default 30 s. */
  readonly shortMs?: number;
  /** Milliseconds; default 1 s. */
  readonly lookEveryMs?: number;
}

const defaultShortMs = 30_000;
const defaultLookEveryMs = 1_000;

/** Logs once when it begins to be too long, and once when there is room again. */
export function watchRoom(options: RoomWatchOptions): RoomWatch {
  const { gate, room, log, shortMs = defaultShortMs, lookEveryMs = defaultLookEveryMs } = options;
  const stopping = new AbortController();
  let shortSince: number | undefined;
  let isTold = false;
  const shortForMs = (): number => (shortSince === undefined ? 0 : performance.now() - shortSince);
  const look = (): void => {
    // While turns run, there is room for those at least; a closed gate offers nothing for another reason.
    if (gate.offered > 0 || gate.closed) {
      if (isTold) log.info({}, "worker.has_room_again");
      shortSince = undefined;
      isTold = false;
      return;
    }
    shortSince ??= performance.now();
    if (isTold || shortForMs() < shortMs) return;
    isTold = true;
    const { availableBytes, neededBytes } = room();
    log.warn(
      { short_ms: Math.round(shortForMs()), available_bytes: availableBytes, needed_bytes: neededBytes },
      "worker.no_room_for_a_turn",
    );
  };
  const looking = loop({
    name: "watch-room",
    everyMs: lookEveryMs,
    signal: stopping.signal,
    log,
    runOnce: () => Promise.resolve(look()),
  });
  return {
    check() {
      if (!isTold) return Promise.resolve();
      const { availableBytes, neededBytes } = room();
      const seconds = Math.round(shortForMs() / 1_000);
      const why = `${neededBytes} bytes must be free, ${availableBytes} are`;
      return Promise.reject(new Error(`no memory for a single turn for ${seconds} s: ${why}`));
    },
    async stop() {
      stopping.abort();
      await looking.done;
    },
  };
}
