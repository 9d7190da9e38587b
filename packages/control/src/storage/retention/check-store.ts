// Checks every object that rows refer to: present and intact. For `dari doctor --store`; changes nothing.

import { objects, type ReferencedObject } from "@dari/db";
import { checkSnapshotObject, SnapshotDamagedError } from "@dari/workspace";
import type { StorageContext } from "./storage-context.ts";

export interface StoreProblem {
  readonly key: string;
  readonly what: ReferencedObject["what"];
  readonly problem: "missing" | "damaged";
  readonly detail: string;
}

export interface StoreCheck {
  readonly checked: number;
  readonly problems: readonly StoreProblem[];
  /** Pass it as `after` to continue; undefined when all objects are checked. */
  readonly next: string | undefined;
}

export interface StoreCheckInput {
  /** Starts after this key (default: at the first). */
  readonly after?: string | undefined;
  readonly limit: number;
  /** Whether to read every byte of snapshots. Otherwise only checks that they exist and have the right length. */
  readonly deep: boolean;
}

const checksAtOnce = 8;

/** Checks one bounded part of the objects, in the order of their keys. */
export async function checkStore(context: StorageContext, input: StoreCheckInput): Promise<StoreCheck> {
  const named = await objects.listReferenced(context.db, input.after ?? "", input.limit);
  const problems: StoreProblem[] = [];
  for (let i = 0; i < named.length; i += checksAtOnce) {
    const found = await Promise.all(
      named.slice(i, i + checksAtOnce).map((object) => checkObject(context, object, input.deep)),
    );
    problems.push(...found.flatMap((problem) => problem ?? []));
  }
  return { checked: named.length, problems, next: named.length < input.limit ? undefined : named.at(-1)?.key };
}

async function checkObject(
  { blobs }: StorageContext,
  { key, what, sizeBytes }: ReferencedObject,
  deep: boolean,
): Promise<StoreProblem | undefined> {
  const found = await blobs.head(key);
  if (found === undefined) return { key, what, problem: "missing", detail: "there is no such object" };
  if (sizeBytes !== null && sizeBytes > 0 && found.sizeBytes !== sizeBytes) {
    const detail = `it has ${found.sizeBytes} bytes instead of ${sizeBytes}`;
    return { key, what, problem: "damaged", detail };
  }
  if (!deep || (what !== "snapshot" && what !== "content")) return undefined;
  try {
    await checkSnapshotObject(blobs, key);
    return undefined;
  } catch (error) {
    if (!(error instanceof SnapshotDamagedError)) throw error;
    return { key, what, problem: "damaged", detail: error.message };
  }
}
