// Directories for the uploads of calls while they are checked, and a bound on their bytes. A directory's name has its
// process in it, so that the next start can clear what a killed process left behind.

import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { AppError, createSharedCount, limits, type SharedBounds } from "@dari/domain";

// Process ids mean something only on the machine, or in the container, that they come from.
const host = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
const self = `${process.pid}-${randomBytes(4).toString("hex")}`;
const namePattern = new RegExp(`^dari-scratch-${host}-((\\d+)-[0-9a-f]{8})-`);

export interface ScratchSpace {
  /** A new, empty directory for a call of the organization; `what` is part of its name. */
  open(what: string, organizationId: string): Promise<Scratch>;
}

/** Disposing of it removes the directory. */
export interface Scratch extends AsyncDisposable {
  readonly dir: string;
  /**
   * Asks for room for so many bytes more, before they are written.
   * @throws AppError `too_large` for more than there is room for at any time; `limit_exceeded` while the organization's
   * other calls have it, `unavailable` while everybody's have.
   */
  take(bytes: number): void;
}

/** `perProcess`: bytes that this process holds on the disk at once, of which an organization has half at most. */
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
      "the organization's other uploads use its temporary disk space; send fewer at once",
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
