// Slots of sandboxes that wait, used again where nothing was done to them: to make and remove one waits for the disk's
// journal.

import { randomUUID } from "node:crypto";
import type { SlotMounts } from "@dari/sandbox";

export interface WarmSlots {
  /** An empty slot that is the caller's until it gives it back. */
  take(): Promise<string>;
  /**
   * No sandbox may live in it. One that something was done to is removed. Rejects where something is still mounted
   * there.
   */
  giveBack(slotDir: string): Promise<void>;
  /** Removes those that are nobody's, and from here on each that is given back. Idempotent. */
  close(): Promise<void>;
}

export function createWarmSlots(mounts: SlotMounts): WarmSlots {
  const free: string[] = [];
  let isClosed = false;
  return {
    take: () => {
      const used = free.pop();
      return used === undefined ? mounts.make(randomUUID()) : Promise.resolve(used);
    },
    async giveBack(slotDir) {
      // Undoes nothing where the sandbox's end has undone it; where that went wrong it is tried again.
      await mounts.detach(slotDir);
      const isAsMade = await mounts.isAsMade(slotDir).catch(() => false);
      if (isAsMade && !isClosed) free.push(slotDir);
      else await mounts.remove(slotDir);
    },
    async close() {
      isClosed = true;
      await Promise.all(free.splice(0).map((slotDir) => mounts.remove(slotDir)));
    },
  };
}
