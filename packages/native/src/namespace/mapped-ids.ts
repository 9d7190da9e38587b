// The users and groups that exist in this process's user namespace. Files and processes can belong to no others.

import { readFileSync } from "node:fs";

export interface IdRange {
  readonly first: number;
  readonly count: number;
}

/** Maximum number of subordinate ids that are mapped, from `firstSubordinateId` on. */
export const subordinateIdsMax = 4096;
/** The first id inside the namespace for a range of /etc/subuid. programs/namespace.c has the same number. */
export const firstSubordinateId = 58_000;

/**
 * Returns ids that are both a user and a group here, without this process's own: all of them for root on a host, the
 * range of its user namespace for root in a pod, and the range of /etc/subuid and /etc/subgid for an ordinary user in
 * its own namespace. Only a process with CAP_SETUID and CAP_CHOWN can use them.
 */
export function readMappedIds(): IdRange[] {
  if (process.platform !== "linux") return [];
  const users = withoutOwn(rangesOf(readFileSync("/proc/self/uid_map", "latin1")), process.geteuid!());
  const groups = withoutOwn(rangesOf(readFileSync("/proc/self/gid_map", "latin1")), process.getegid!());
  return users.flatMap((range) => groups.flatMap((other) => shared(range, other)));
}

/** Reads the ids inside, which are the first of three numbers on a line. */
function rangesOf(map: string): IdRange[] {
  return map
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([first = 0, , count = 0]) => ({ first, count }));
}

function withoutOwn(ranges: readonly IdRange[], own: number): IdRange[] {
  return ranges.flatMap(({ first, count }) => {
    if (own < first || own >= first + count) return [{ first, count }];
    const sides = [
      { first, count: own - first },
      { first: own + 1, count: first + count - own - 1 },
    ];
    return sides.filter((side) => side.count > 0);
  });
}

function shared(one: IdRange, other: IdRange): IdRange[] {
  const first = Math.max(one.first, other.first);
  const count = Math.min(one.first + one.count, other.first + other.count) - first;
  return count > 0 ? [{ first, count }] : [];
}
