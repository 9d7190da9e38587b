// Directories for uploads while they are checked, with a limit on their bytes. A directory's name contains its process,
// so that the next start can remove what a killed process left behind.

import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { AppError, createSharedCount, limits, type SharedBounds } from "@dari/domain";

// Process ids are meaningful only on the machine, or in the container, where they were assigned.
const host = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
const self = `${process.pid}-${randomBytes(4).toString("hex")}`;
const namePattern = new RegExp(`^dari-scratch-${host}-((\\d+)-[0-9a-f]{8})-`);

export interface ScratchSpace {
  /** Creates an empty directory for a call of the organization; `what` is part of its name. */
  open(what: string, organizationId: string): Promise<Scratch>;
}

/** Disposing of it removes the directory. */
export interface Scratch extends AsyncDisposable {
  readonly dir: string;
  /**
   * Reserves this many more bytes, before they are written.
   * @throws AppError `too_large` if it could never fit; `limit_exceeded` while the organization's other calls use the
   *   space, `unavailable` while all calls together do.
   */
  take(bytes: number): void;
}

/** `perProcess`: the maximum bytes of this process on the disk, of which an organization may use half. */
export function createScratchSpace(perProcess: number = limits.scratchBytes): ScratchSpace {
  const bounds = { perProcess, perOrganization: Math.floor(perProcess / 2) };
  const count = createSharedCount(bounds);
  return {
    async open(what, organizationId) {
      const dir = await makeScratch(what);
      let taken = 0;
      let leave = (): void => undefined;
      return {
        dir,
        take(bytes) {
          if (taken + bytes > bounds.perOrganization) throw new AppError("too_large", tooLarge(bounds));
          const over = count.over(organizationId, bytes);
          if (over !== undefined) throw spaceErrors[over]();
          leave();
          leave = count.add(organizationId, (taken += bytes));
        },
        async [Symbol.asyncDispose]() {
          await rm(dir, { recursive: true, force: true });
          leave();
        },
      };
    },
  };
}

const tooLarge = ({ perOrganization }: SharedBounds): string =>
  `the request needs more than ${perOrganization} bytes of temporary disk space; operators set DARI_SCRATCH_BYTES`;

const retryAfterSeconds = 10;

const spaceErrors = {
  perOrganization: () =>
    new AppError(
      "limit_exceeded",
      "the organization's other uploads use its temporary disk space; send fewer at the same time",
      {
        retryAfterSeconds,
      },
    ),
  perProcess: () =>
    new AppError("unavailable", "other uploads use all temporary disk space; retry", { retryAfterSeconds }),
} as const;

/** Creates an empty directory that only this user can read. The caller removes it. */
export function makeScratch(what: string): Promise<string> {
  return mkdtemp(join(tmpdir(), `dari-scratch-${host}-${self}-${what}-`));
}

/** Removes the directories of processes that have ended. Call it when a program starts. */
export async function clearScratch(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const [, owner, pid] = namePattern.exec(name) ?? [];
    if (owner === undefined || owner === self) continue;
    // Another process's directory can have this process's id, because a restarted container assigns the same ids.
    if (Number(pid) !== process.pid && isAlive(Number(pid))) continue;
    // Another user's directory cannot be removed here; that user's programs remove it.
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
