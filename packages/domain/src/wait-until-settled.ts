// Waits for work, with a limit.

/** How long callers that share a statement wait for the previous one, whose connection may be lost. Milliseconds. */
export const sharedWaitMs = 100;

/** Resolves when `work` settles or after `ms`, whichever comes first. Never rejects. */
export function waitUntilSettled(ms: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(resolve, ms);
    work.then(end, end);
  });
}
