// In a container a worker starts in the root of the control groups that it sees. Unlike the kernel's own root, that one
// hands no controller on while processes are in it.

import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const leafName = "dari-worker";

/** Moves every process of `root` to a group below it, where that is needed and allowed. `root`: of version 2. */
export async function leaveRootGroup(root: string): Promise<void> {
  // Only the kernel's own root has no events.
  const isKernels = await access(join(root, "cgroup.events")).then(
    () => false,
    () => true,
  );
  if (isKernels) return;
  const leaf = join(root, leafName);
  // It is there already, or the groups are read-only.
  await mkdir(leaf).catch(() => undefined);
  const pids = (await readFile(join(root, "cgroup.procs"), "latin1").catch(() => "")).split("\n").filter(Boolean);
  for (const pid of pids) await writeFile(join(leaf, "cgroup.procs"), pid).catch(() => undefined);
}
