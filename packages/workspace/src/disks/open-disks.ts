// Session directories on this machine: opened from cached data if possible, otherwise from the object store. There are
// two kinds with one interface and one test suite: overlays, whose cost depends on the change, and copies.

import { nativeProblem } from "@dari/native";
import { mkdir } from "node:fs/promises";
import { openCopies } from "./copied/copied-disks.ts";
import type { Disk, Disks, DisksOptions, OpenDisk, PlainDisks } from "./disk.ts";
import { openOverlays, probeOverlays } from "./overlay/overlay-disks.ts";
import { openMounts } from "./overlay/mounts.ts";
import type { Tree } from "../tree/tree.ts";
import { treeHash } from "../tree/tree-hash.ts";

/** Opens the disks. @throws if `kind` is `overlay` and overlays are not available */
export async function openDisks(options: DisksOptions): Promise<Disks> {
  await mkdir(options.dir, { recursive: true, mode: 0o700 });
  return withAnnouncements(await openKind(options));
}

async function openKind({ dir, maxBytes, kind = "auto", onSquashfsUnused }: DisksOptions): Promise<PlainDisks> {
  if (kind === "copy")
    return await openCopies({ dir, maxBytes, reason: "the settings or the sandbox driver require copies" });
  let reason = nativeProblem() ?? "";
  for (const marks of reason === "" ? (["trusted", "user"] as const) : []) {
    const mounts = await openMounts(marks);
    const problem = await probeOverlays(dir, mounts);
    if (problem === undefined) return await openOverlays({ dir, maxBytes, mounts, onSquashfsUnused });
    await mounts.close();
    reason ||= problem;
  }
  if (kind === "overlay") throw new Error(reason);
  return await openCopies({ dir, maxBytes, reason });
}

function withAnnouncements(disks: PlainDisks): Disks {
  const announced = new Map<string, Promise<void>>();
  async function open(o: OpenDisk): Promise<Disk> {
    await announced.get(keyOf(o, o.tree));
    const disk = await disks.open(o);
    const { promise, resolve } = Promise.withResolvers<void>();
    let key: string | undefined;
    const settle = (): void => {
      if (key !== undefined && announced.get(key) === promise) announced.delete(key);
      resolve();
    };
    return {
      ...disk,
      announce(tree) {
        key = keyOf(o, tree);
        announced.set(key, promise);
      },
      keep: (tree) => disk.keep(tree).finally(settle),
      close: () => disk.close().finally(settle),
    };
  }
  return {
    kind: disks.kind,
    reason: disks.reason,
    open,
    get sizeBytes() {
      return disks.sizeBytes;
    },
    get squashfsUnused() {
      return disks.squashfsUnused;
    },
    close: () => disks.close(),
  };
}

function keyOf({ organizationId }: OpenDisk, tree: Tree): string {
  return `${organizationId}/${treeHash(tree)}`;
}
