// Small JSON files that only their owner can read, replaced as a whole.

import { readFileSync, renameSync, writeFileSync } from "node:fs";

/** Replaces `file` atomically, with mode 0600. */
export function writeStateFile(file: string, state: object): void {
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, file);
}

/** Returns the object in `file`; undefined if it is missing, empty or damaged, as after a crash. */
export function readStateFile<T extends object>(file: string, isState: (value: Partial<T>) => boolean): T | undefined {
  try {
    const value = JSON.parse(readFileSync(file, "utf8")) as Partial<T> | null;
    return typeof value === "object" && value !== null && isState(value) ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}
