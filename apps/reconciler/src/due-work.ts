// Looks for the work of all frequent passes with one statement, so that a pass without work needs none of its own.

import type { DueWork } from "@dari/control/operations";

/** Passes that run within this time share one look, in milliseconds. */
const sharedMs = 100;

/** Returns a function that resolves with whether there is work of this kind. It rejects if `read` does. */
export function createDueWorkLook(read: () => Promise<DueWork>): (kind: keyof DueWork) => Promise<boolean> {
  let look: Promise<DueWork> | undefined;
  let lookedAt = 0;
  return async (kind) => {
    const now = performance.now();
    if (look === undefined || now - lookedAt >= sharedMs) {
      lookedAt = now;
      look = read();
    }
    return (await look)[kind];
  };
}
