// Directories for what a call holds on this machine's disk while it is judged. They name the process that has them, so
// that what a killed one left is known for that, and cleared by the next.

import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";

// Process ids mean something only on the machine, or in the container, that they come from.
const host = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
const self = `${process.pid}-${randomBytes(4).toString("hex")}`;
const namePattern = new RegExp(`^dari-scratch-${host}-((\\d+)-[0-9a-f]{8})-`);

/** A new, empty directory that only this user reads. Whoever asked for it removes it. */
export function makeScratch(what: string): Promise<string> {
  return mkdtemp(join(tmpdir(), `dari-scratch-${host}-${self}-${what}-`));
}

/** Removes the directories of processes that are gone. For a program's start. */
export async function clearScratch(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const [, owner, pid] = namePattern.exec(name) ?? [];
    if (owner === undefined || owner === self) continue;
    // This process's number on another's directory: a container that starts again has the same ones.
    if (Number(pid) !== process.pid && isAlive(Number(pid))) continue;
    // Another user's is not ours to remove; it stays for theirs.
    await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
