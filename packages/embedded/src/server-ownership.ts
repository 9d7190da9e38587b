// Which process may stop a server that outlives its parent: the one that started it or, after its death, the next one.

import path from "node:path";
import { identifySelf, isSameProcessAlive, type ProcessIdentity } from "./process-identity.ts";
import { readStateFile, writeStateFile } from "./state-file.ts";

const isIdentity = (value: Partial<ProcessIdentity>): boolean =>
  typeof value.pid === "number" && typeof value.startedAt === "string";

export interface Ownership {
  /** Makes this process the owner unless a live one is. Returns whether it is the owner now. */
  claim(): boolean;
  isOurs(): boolean;
}

/** Returns the ownership of the server whose files are in `dir`, stored in `dir`/owner.json. */
export function openOwnership(dir: string): Ownership {
  const file = path.join(dir, "owner.json");
  const self = identifySelf();
  const owner = (): ProcessIdentity | undefined => readStateFile<ProcessIdentity>(file, isIdentity);
  const isOurs = (): boolean => {
    const current = owner();
    return current?.pid === self.pid && current.startedAt === self.startedAt;
  };
  return {
    isOurs,
    claim() {
      const current = owner();
      if (current && isSameProcessAlive(current)) return isOurs();
      writeStateFile(file, self);
      return true;
    },
  };
}
