// Workspaces without directories, for measurements of everything else.

import type { WorkerAssembly } from "@dari/worker";

type Disks = NonNullable<WorkerAssembly["disks"]>;

/** Every tree stays as it was saved. */
export function createNullDisks(): Disks {
  return {
    kind: "copy",
    squashfsUnused: 0,
    reason: "nothing is on a disk",
    sizeBytes: 0,
    open({ dir, tree }) {
      return Promise.resolve({
        dir,
        isWarm: true,
        announce: () => undefined,
        scan: () => Promise.resolve({ tree, ignored: [], filesHashed: 0 }),
        keep: () => Promise.resolve(),
        close: () => Promise.resolve(),
      });
    },
    close: () => Promise.resolve(),
  };
}
