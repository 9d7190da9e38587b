// Makes a host user the owner of a slot's directories, unless it already is.

import { lstatSync } from "node:fs";
import { join } from "node:path";
import { startWithCapabilities, withholdCapabilities } from "@dari/native";
import { changeOwner } from "../launch/run-native.ts";
import { diskTmpOf } from "./slot.ts";
import type { SandboxSpec } from "../types.ts";

/**
 * Gives `workspace/`, `state/` and a /tmp on the disk, with their contents, to the user. Skips directories that already
 * belong to the user. @throws the system's error if something cannot be given
 */
export type SlotOwnerChanger = (slot: Pick<SandboxSpec, "slotDir" | "diskTmpBytes">, user: number) => Promise<void>;

/** @throws if this process has capabilities that it cannot withhold from other programs */
export async function openSlotOwnerChanger(): Promise<SlotOwnerChanger> {
  await withholdCapabilities();
  return async (slot, user) => {
    const tmp = diskTmpOf(slot);
    const places = ["workspace", "state"].map((name) => join(slot.slotDir, name));
    if (tmp !== undefined) places.push(tmp.dir);
    // Synchronous: these directories of this worker are in the kernel's cache, and each turn waits for this.
    const others = places.filter((place) => lstatSync(place).uid !== user);
    if (others.length > 0) await startWithCapabilities(() => changeOwner(user, others));
  };
}
