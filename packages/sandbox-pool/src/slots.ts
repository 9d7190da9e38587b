// Slots of sandboxes. A slot that is still unchanged is used again, because creating and removing a directory waits for
// the disk's journal.

import { randomUUID } from "node:crypto";
import type { SlotMounts } from "@dari/sandbox";
import type { Slot } from "./recipe.ts";

export interface Slots {
  /** Returns an empty slot. `owner`: user and group of its directories. */
  allocate(owner?: number): Promise<Slot>;
  /**
   * Takes the slot back, once no sandbox lives in it. A slot that was changed is removed. Rejects if something is still
   * mounted in it.
   */
  release(slot: Slot): Promise<void>;
  /** Removes the free slots, and from now on every slot that is released. Idempotent. */
  close(): Promise<void>;
}

/** Above this number, the oldest free slot is removed: its organization may have no more turns. */
const freeMax = 32;

export function createSlots(mounts: SlotMounts): Slots {
  const owners = new Map<Slot, number | undefined>();
  /** Oldest first. */
  const free: { readonly slot: Slot; readonly owner: number | undefined }[] = [];
  let isClosed = false;
  return {
    async allocate(owner) {
      const at = free.findLastIndex((one) => one.owner === owner);
      const slot = at < 0 ? { slotDir: await mounts.make(randomUUID(), owner), mounts } : free.splice(at, 1)[0]!.slot;
      owners.set(slot, owner);
      return slot;
    },
    async release(slot) {
      const { slotDir } = slot;
      // Does nothing if the end of the sandbox has unmounted everything, and tries again if that failed.
      await mounts.detach(slotDir);
      const isAsMade = await mounts.isAsMade(slotDir).catch(() => false);
      const owner = owners.get(slot);
      owners.delete(slot);
      if (!isAsMade || isClosed) return await mounts.remove(slotDir);
      free.push({ slot, owner });
      if (free.length > freeMax) await mounts.remove(free.shift()!.slot.slotDir);
    },
    async close() {
      isClosed = true;
      await Promise.all(free.splice(0).map(({ slot }) => mounts.remove(slot.slotDir)));
    },
  };
}
