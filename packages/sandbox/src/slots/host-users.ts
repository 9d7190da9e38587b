// Chooses a host user for the sandboxes of each organization. The kernel counts some resources per user (epoll watches,
// descriptors in flight, pages of pipes) and lets the owner of a file hold a lease on it. So organizations must not
// share a user.

import { randomInt } from "node:crypto";
import { chownSync, closeSync, lstatSync, mkdirSync, openSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { firstSubordinateId, readMappedIds, type IdRange } from "@dari/native";
import type { SandboxDriver } from "../types.ts";

/** Chooses the host user of an organization's sandboxes. */
export interface HostUsers {
  /**
   * Returns the id, used as user and as group. An organization keeps its id while the directory exists. Once all ids
   * are taken, organizations share them.
   * @throws the system's error if the choice cannot be stored
   */
  idOf(organizationId: string): number;
}

/** The ids if all ids are mapped: above the ids of containers and accounts, below the ids that systemd reserves. */
const wideRange: IdRange = { first: 1_900_000_000, count: 1_048_576 };
/** The number of ids if only some are mapped: the last ones that Debian leaves to accounts, below systemd's users. */
const narrowCountMax = 3_000;

/** Returns the ids for host users among `mapped`, those of this process's namespace; undefined if there are none. */
export function hostUserRange(mapped: readonly IdRange[] = readMappedIds()): IdRange | undefined {
  if (mapped.some((ids) => countFrom(ids, wideRange.first) >= wideRange.count)) return wideRange;
  const count = Math.min(narrowCountMax, Math.max(0, ...mapped.map((ids) => countFrom(ids, firstSubordinateId))));
  return count > 0 ? { first: firstSubordinateId, count } : undefined;
}

/**
 * Opens the list of host users in `dir`, which is created if missing: an empty file for each organization, owned by its
 * user. This process must be able to change owners of files (CAP_CHOWN), and the file system must store owners.
 * @throws if either is not possible, or the system's error if the directory cannot be created or read
 */
export function openHostUsers(dir: string, range: IdRange): HostUsers {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  assertKeepsOwners(dir, range.first);
  const known = new Map<string, number>();
  for (const name of readdirSync(dir)) {
    const { uid } = lstatSync(join(dir, name));
    // A file that belongs to this process's user was created by a process that died before it changed the owner.
    if (isIn(range, uid)) known.set(name, uid);
  }
  const taken = new Set(known.values());
  // Start at a random id, so that workers of one machine rarely choose the same id.
  let next = randomInt(range.count);
  const choose = (): number => {
    for (let tries = 0; tries < range.count && taken.size < range.count; tries++) {
      const id = range.first + (next++ % range.count);
      if (!taken.has(id)) return id;
    }
    return range.first + (next++ % range.count);
  };
  return {
    idOf(organizationId) {
      const found = known.get(organizationId);
      if (found !== undefined) return found;
      const id = choose();
      const file = join(dir, organizationId);
      closeSync(openSync(file, "a", 0o600));
      chownSync(file, id, id);
      known.set(organizationId, id);
      taken.add(id);
      return id;
    },
  };
}

/** Returns a driver whose sandboxes all run as `hostUser`. */
export function withHostUser(driver: SandboxDriver, hostUser: number | undefined): SandboxDriver {
  return {
    ...driver,
    prepare: (spec) => driver.prepare({ ...spec, hostUser }),
    prepareTemplate: (spec) => driver.prepareTemplate({ ...spec, hostUser }),
  };
}

/** Checks that the file system stores owners: some network file systems refuse or lose them. @throws if not */
function assertKeepsOwners(dir: string, id: number): void {
  const file = join(dir, `.probe-${process.pid}`);
  try {
    closeSync(openSync(file, "a", 0o600));
    chownSync(file, id, id);
    const { uid } = lstatSync(file);
    if (uid !== id) throw new Error(`a file that was given to user ${id} belongs to user ${uid}`);
  } finally {
    rmSync(file, { force: true });
  }
}

function isIn({ first, count }: IdRange, id: number): boolean {
  return id >= first && id < first + count;
}

/** Returns how many ids the range has from `from` on. */
function countFrom({ first, count }: IdRange, from: number): number {
  return first <= from && from < first + count ? first + count - from : 0;
}
