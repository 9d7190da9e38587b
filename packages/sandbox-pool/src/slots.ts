// Slots of sandboxes that wait, used again where nothing was done to them: to make and remove one waits for the disk's
// journal.

import { randomUUID } from "node:crypto";
import type { SlotMounts } from "@dari/sandbox";

export interface WarmSlots {
  /** An empty slot that is the caller's until it gives it back. `owner`: user and group of its directories. */
  take(owner?: number): Promise<string>;
  /**
   * No sandbox may live in it. One that something was done to is removed. Rejects where something is still mounted
   * there.
   */
  giveBack(slotDir: string): Promise<void>;
  /** Removes those that are nobody's, and from here on each that is given back. Idempotent. */
  close(): Promise<void>;
}

interface FreeSlot {
  readonly slotDir: string;
  readonly owner: number | undefined;
}

/** Beyond these the oldest is removed: slots of organizations that have no turns any more. */
const freeMax = 32;

export function createWarmSlots(mounts: SlotMounts): WarmSlots {
  const owners = new Map<string, number | undefined>();
  /** Oldest first. */
  const free: FreeSlot[] = [];
  let isClosed = false;
  return {
    async take(owner) {
      const at = free.findLastIndex((one) => one.owner === owner);
      const slotDir = at < 0 ? await mounts.make(randomUUID(), owner) : free.splice(at, 1)[0]!.slotDir;
      owners.set(slotDir, owner);
      return slotDir;
    },
    async giveBack(slotDir) {
      // Undoes nothing where the sandbox's end has undone it; where that went wrong it is tried again.
      await mounts.detach(slotDir);
      const isAsMade = await mounts.isAsMade(slotDir).catch(() => false);
      const owner = owners.get(slotDir);
      owners.delete(slotDir);
      if (!isAsMade || isClosed) return await mounts.remove(slotDir);
      free.push({ slotDir, owner });
      if (free.length > freeMax) await mounts.remove(free.shift()!.slotDir);
    },
    async close() {
      isClosed = true;
      await Promise.all(free.splice(0).map(({ slotDir }) => mounts.remove(slotDir)));
    },
  };
}
