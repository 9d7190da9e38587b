// The worker's directory on this machine: one process at a time, what a dead one left is cleared.

import { mkdir, realpath, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { leaveOwnerFile, takeOwnerFile } from "@dari/embedded";
import { removeTree } from "@dari/native";
import { sweepMounts, sweepMountsAtExit } from "@dari/workspace";

export interface WorkDir {
  /** For running turns and builds; empty at start. */
  readonly turns: string;
  /** For sandboxes that wait for a turn; empty at start. */
  readonly warm: string;
  /** For what guests are started from; empty at start. */
  readonly guest: string;
  /** Workspaces of sessions that had turns here. */
  readonly disks: string;
  readonly contents: string;
  readonly images: string;
  readonly runtimes: string;
  /** Which host user is which organization's. */
  readonly users: string;
  leave(): Promise<void>;
}

/** @throws when another worker uses the directory: caches are owned by one process. */
export async function takeWorkDir(dir: string): Promise<WorkDir> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const { uid } = await stat(dir);
  if (process.getuid !== undefined && uid !== process.getuid()) {
    throw new Error(`${dir} belongs to another user, who could change the agents in it; set DARI_WORK_DIR`);
  }
  const file = join(dir, "worker.json");
  const owner = takeOwnerFile(file);
  if (owner !== undefined) {
    throw new Error(`a worker (process ${owner.pid}) uses ${dir} already; give each its own with DARI_WORK_DIR`);
  }
  const [turns, warm, guest] = [join(dir, "turns"), join(dir, "warm"), join(dir, "guest")];
  // A worker that was killed leaves its turns' workspaces mounted.
  await sweepMounts(dir);
  // Earlier releases kept scripts of packages in `bundles`.
  for (const each of [turns, warm, guest, join(dir, "bundles")]) await removeTree(each);
  // Node and esbuild look for `"type"` in the directories above a bundle. An agent that is not isolated must not get
  // that of a project that the data directory is in.
  await writeFile(join(dir, "package.json"), "{}\n");
  const whole = await realpath(dir);
  const sweepAtExit = (): void => sweepMountsAtExit(whole);
  process.on("exit", sweepAtExit);
  await mkdir(turns, { recursive: true, mode: 0o755 });
  return {
    turns,
    warm,
    guest,
    disks: join(dir, "disks"),
    contents: join(dir, "contents"),
    images: join(dir, "images"),
    runtimes: join(dir, "runtimes"),
    users: join(dir, "users"),
    async leave() {
      await sweepMounts(dir);
      for (const each of [turns, warm, guest]) await removeTree(each);
      process.off("exit", sweepAtExit);
      leaveOwnerFile(file);
    },
  };
}
