// Coalesces reads: callers that ask during a read share the next one. A caller alone does not wait.

import { waitUntilSettled, sharedWaitMs } from "@dari/domain";
import type { Database } from "./database.ts";
import { isDatabaseUnreachable } from "./errors.ts";

/** Reads the values of the keys. Missing keys are left out. */
export type ReadMany<T> = (db: Database, group: string, keys: readonly string[]) => Promise<ReadonlyMap<string, T>>;

/** The newest read of a group. */
interface UnderWay<T> {
  readonly ended: Promise<void>;
  next: Gathered<T> | undefined;
}

interface Gathered<T> {
  readonly keys: Set<string>;
  readonly found: Promise<ReadonlyMap<string, T>>;
}

/**
 * Returns a function that reads one key. Only keys of one group are read together, at most `keysMax` different ones. A
 * result is never older than the call: its read starts after it. If a shared read fails, its keys are read one by one,
 * and each fails alone.
 */
export function coalesceReads<T>(
  read: ReadMany<T>,
  { keysMax }: { readonly keysMax: number },
): (db: Database, group: string, key: string) => Promise<T | undefined> {
  const groupsOf = new WeakMap<Database, Map<string, UnderWay<T>>>();

  const begin = (db: Database, group: string, keys: readonly string[]): Promise<ReadonlyMap<string, T>> => {
    const found = read(db, group, keys);
    const groups = groupsOf.get(db) ?? new Map<string, UnderWay<T>>();
    groupsOf.set(db, groups);
    const one: UnderWay<T> = { ended: ended(found), next: undefined };
    groups.set(group, one);
    void one.ended.then(() => {
      if (groups.get(group) === one && one.next === undefined) groups.delete(group);
    });
    return found;
  };
  const gather = (db: Database, group: string, after: UnderWay<T>): Gathered<T> => {
    const keys = new Set<string>();
    return { keys, found: waitUntilSettled(sharedWaitMs, after.ended).then(() => begin(db, group, [...keys])) };
  };

  return async (db, group, key) => {
    const underWay = groupsOf.get(db)?.get(group);
    if (underWay === undefined) return (await begin(db, group, [key])).get(key);
    const next = (underWay.next ??= gather(db, group, underWay));
    if (next.keys.size >= keysMax && !next.keys.has(key)) return (await read(db, group, [key])).get(key);
    next.keys.add(key);
    try {
      return (await next.found).get(key);
    } catch (error) {
      if (next.keys.size === 1 || isDatabaseUnreachable(error)) throw error;
      return (await read(db, group, [key])).get(key);
    }
  };
}

function ended(work: Promise<unknown>): Promise<void> {
  const end = (): void => undefined;
  return work.then(end, end);
}
