// Removes a directory in which killed workers may have left mounts.

import { execFile } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Returns what is mounted below `dir`, the innermost last. */
export async function mountsBelow(dir: string): Promise<string[]> {
  const lines = (await readFile("/proc/mounts", "utf8").catch(() => "")).split("\n");
  return lines.map((line) => line.split(" ")[1] ?? "").filter((target) => target.startsWith(`${dir}/`));
}

/** Unmounts what is mounted below `dir`, and removes it. */
export async function removeDirectory(dir: string): Promise<void> {
  const mounts = await mountsBelow(dir);
  for (const mount of mounts.reverse()) await run("umount", ["-l", mount]).catch(() => undefined);
  await rm(dir, { recursive: true, force: true, maxRetries: 5 }).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "EACCES") throw error;
    // Sandboxes of an ordinary user's worker leave files with ids of its /etc/subuid range.
    await run("unshare", ["--map-auto", "--map-root-user", "rm", "-rf", dir]);
  });
}
