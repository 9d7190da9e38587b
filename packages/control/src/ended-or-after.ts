// How long callers that share a statement wait for the one before theirs.

/** A statement that takes longer keeps nobody else waiting: its connection may be lost. Milliseconds. */
export const patienceMs = 100;

/** Resolves when `work` ends, however it does, or after `ms`. */
export function endedOrAfter(ms: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(resolve, ms);
    work.then(end, end);
  });
}
