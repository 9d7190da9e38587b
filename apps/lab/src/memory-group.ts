// A control group that limits the memory of one worker and its sandboxes together, as a container does.

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { waitUntil } from "@dari/testkit";

export interface MemoryGroup {
  /** A command that enters the group and becomes the program whose words follow. */
  readonly through: readonly string[];
  /** Call it once the programs in the group have ended. The kernel may still be clearing their last processes. */
  remove(): Promise<void>;
}

const groups = "/sys/fs/cgroup";

/** Returns undefined if this process cannot limit memory. */
export function createMemoryGroup(bytes: number): MemoryGroup | undefined {
  const own = readFileSync("/proc/self/cgroup", "utf8");
  const path = /^\d+:memory:(.*)$/m.exec(own)?.[1];
  const name = `dari-test-${process.pid}`;
  const dir = path === undefined ? join(groups, name) : join(groups, "memory", path, name);
  const limit = path === undefined ? "memory.max" : "memory.limit_in_bytes";
  // In version 2, a group with processes has no groups with limits below it, so the sandboxes are beside the worker.
  const members = path === undefined ? join(dir, "worker") : dir;
  try {
    mkdirSync(dir);
  } catch {
    return undefined;
  }
  if (!existsSync(join(dir, limit))) {
    rmdirSync(dir);
    return undefined;
  }
  writeFileSync(join(dir, limit), String(bytes));
  if (members !== dir) mkdirSync(members);
  return {
    through: ["sh", "-c", 'echo $$ > "$0" && exec "$@"', join(members, "cgroup.procs")],
    async remove() {
      if (members !== dir) await removeGroup(members);
      await removeGroup(dir);
    },
  };
}

async function removeGroup(dir: string): Promise<void> {
  await waitUntil(() => isRemoved(dir), { what: `the last process of ${dir} to be gone` });
}

function isRemoved(dir: string): boolean {
  try {
    rmdirSync(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EBUSY") throw error;
    return false;
  }
  return true;
}
