// Small JSON files that only their owner may read, replaced as a whole. Knows nothing of what they hold.

import { readFileSync, renameSync, writeFileSync } from "node:fs";

/** Replaces `file` in one step, mode 0600. */
export function writeStateFile(file: string, state: object): void {
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, file);
}

/** The object in `file`; undefined when it is missing, empty or damaged (a crash may leave it so). */
export function readStateFile<T extends object>(file: string, isState: (value: Partial<T>) => boolean): T | undefined {
  try {
    const value = JSON.parse(readFileSync(file, "utf8")) as Partial<T> | null;
    return typeof value === "object" && value !== null && isState(value) ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}
