// The worker's directory on this machine. One process uses it at a time, and removes what a dead process left.

import { mkdir, realpath, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { removeOwnerFile, takeOwnerFile } from "@dari/embedded";
import { removeTree } from "@dari/native";
import { sweepMounts, sweepMountsAtExit } from "@dari/workspace";

export interface WorkDir {
  /** For running turns and builds; empty at the start. */
  readonly turns: string;
  /** For preloaded sandboxes; empty at the start. */
  readonly warm: string;
  /** For files that guests are started from; empty at the start. */
  readonly guest: string;
  /** Cached workspaces of sessions that had turns on this machine. */
  readonly disks: string;
  readonly images: string;
  readonly runtimes: string;
  /** The list of host users: which one belongs to which organization. */
  readonly users: string;
  /** Removes temporary files and releases the directory. */
  leave(): Promise<void>;
}

/** Takes the directory for this process. @throws if another worker uses it, because caches have one owner */
export async function lockWorkDir(dir: string): Promise<WorkDir> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const { uid } = await stat(dir);
  if (process.getuid !== undefined && uid !== process.getuid()) {
    throw new Error(
      `${dir} belongs to another user, who could change the agents in it; set DARI_WORK_DIR to another directory`,
    );
  }
  const file = join(dir, "worker.json");
  const owner = takeOwnerFile(file);
  if (owner !== undefined) {
    throw new Error(
      `another worker (process ${owner.pid}) uses ${dir}; set DARI_WORK_DIR to another directory for this worker`,
    );
  }
  const [turns, warm, guest] = [join(dir, "turns"), join(dir, "warm"), join(dir, "guest")];
  // A killed worker leaves its turns' workspaces mounted.
  await sweepMounts(dir);
  for (const each of [turns, warm, guest]) await removeTree(each);
  // Node and esbuild look for `"type"` in the directories above a bundle. An agent without isolation must not get that
  // of a project that contains the data directory.
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
    images: join(dir, "images"),
    runtimes: join(dir, "runtimes"),
    users: join(dir, "users"),
    async leave() {
      await sweepMounts(dir);
      for (const each of [turns, warm, guest]) await removeTree(each);
      process.off("exit", sweepAtExit);
      removeOwnerFile(file);
    },
  };
}
