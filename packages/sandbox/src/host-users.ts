// A user of the host for the sandboxes of each organization. The kernel counts some resources per user (epoll watches,
// descriptors in flight, pages of pipes) and lets the owner of a file hold a lease on it: strangers must not share one.

import { randomInt } from "node:crypto";
import { chownSync, closeSync, lstatSync, mkdirSync, openSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { firstSubordinateId, mappedIds, type IdRange } from "@dari/native";
import type { SandboxDriver } from "./types.ts";

/** Chooses the host user of an organization's sandboxes. */
export interface HostUsers {
  /**
   * The id, used as user and as group. An organization keeps its id as long as the directory exists; once all ids are
   * taken, organizations share them.
   * @throws the system's error when the choice cannot be recorded
   */
  idOf(organizationId: string): number;
}

/** Where all ids are mapped: above those of containers and accounts, below those that systemd reserves. */
const wideRange: IdRange = { first: 1_900_000_000, count: 1_048_576 };
/** Where only some are: the last of those that Debian leaves to accounts, below systemd's dynamic users. */
const narrowCountMax = 3_000;

/** Returns the ids for host users among `mapped`, those of this process's namespace; undefined where it has none. */
export function hostUserRange(mapped: readonly IdRange[] = mappedIds()): IdRange | undefined {
  if (mapped.some((ids) => countFrom(ids, wideRange.first) >= wideRange.count)) return wideRange;
  const count = Math.min(narrowCountMax, Math.max(0, ...mapped.map((ids) => countFrom(ids, firstSubordinateId))));
  return count > 0 ? { first: firstSubordinateId, count } : undefined;
}

/**
 * Opens the record of host users in `dir`, which is made when missing: an empty file for each organization, which
 * belongs to its user. This process must be able to give files away (CAP_CHOWN), and the file system must keep owners.
 * @throws when it cannot, or the system's error when the directory cannot be made or read
 */
export function openHostUsers(dir: string, range: IdRange): HostUsers {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  assertKeepsOwners(dir, range.first);
  const known = new Map<string, number>();
  for (const name of readdirSync(dir)) {
    const { uid } = lstatSync(join(dir, name));
    // One that is this process's own was recorded by a process that died before it gave the file away.
    if (isIn(range, uid)) known.set(name, uid);
  }
  const taken = new Set(known.values());
  // Workers of one machine begin at different ids, so that they seldom choose the same.
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

/** The driver, for sandboxes that all run as `hostUser`. */
export function asHostUser(driver: SandboxDriver, hostUser: number | undefined): SandboxDriver {
  return {
    ...driver,
    prepare: (spec) => driver.prepare({ ...spec, hostUser }),
    prepareTemplate: (spec) => driver.prepareTemplate({ ...spec, hostUser }),
  };
}

/** Some network file systems refuse other owners, or forget them. */
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

/** How many ids the range has from `from` on. */
function countFrom({ first, count }: IdRange, from: number): number {
  return first <= from && from < first + count ? first + count - from : 0;
}
