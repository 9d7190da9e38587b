// Leaves the root control group of a container, in which a worker starts. Unlike the kernel's own root group, that
// group delegates no controllers while it contains processes.

import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const leafName = "dari-worker";

/** Moves every process of `root` (version 2) to a group below it, if that is needed and allowed. */
export async function leaveRootGroup(root: string): Promise<void> {
  // Only the kernel's own root group has no file `cgroup.events`.
  const isKernels = await access(join(root, "cgroup.events")).then(
    () => false,
    () => true,
  );
  if (isKernels) return;
  const leaf = join(root, leafName);
  // If this fails, the group exists already, or groups are read-only.
  await mkdir(leaf).catch(() => undefined);
  const pids = (await readFile(join(root, "cgroup.procs"), "latin1").catch(() => "")).split("\n").filter(Boolean);
  for (const pid of pids) await writeFile(join(leaf, "cgroup.procs"), pid).catch(() => undefined);
}
