// Looks for the work of all frequent passes with one statement, so that a pass without work needs none of its own.

/** Passes that run within this time share one look, in milliseconds. */
const sharedMs = 100;

/** Says whether there is work of this kind. It rejects if the look does. */
export type SharedLook<Work> = (kind: keyof Work) => Promise<boolean>;

/** Returns a function that resolves with whether there is work of a kind, by a `read` that is at most 100 ms old. */
export function createSharedLook<Work extends Readonly<Record<keyof Work, boolean>>>(
  read: () => Promise<Work>,
): SharedLook<Work> {
  let look: Promise<Work> | undefined;
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
