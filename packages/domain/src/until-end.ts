// Waiting for many things, and for the one end that they share.

/**
 * Answers a function that is `Promise.race([each, end])`, for many `each` and one `end` that comes much later. A race
 * would keep what every single `each` came to for as long as `end` is open.
 */
export function untilEnd<End>(end: Promise<End>): <Each>(each: Promise<Each>) => Promise<Each | End> {
  const waiting = new Set<() => void>();
  let hasEnded = false;
  const ended = (): void => {
    hasEnded = true;
    for (const tell of waiting) tell();
    waiting.clear();
  };
  end.then(ended, ended);
  return (each) => {
    if (hasEnded) return Promise.race([each, end]);
    return new Promise((resolve, reject) => {
      const tell = (): void => resolve(end);
      waiting.add(tell);
      each.then(resolve, reject).finally(() => waiting.delete(tell));
    });
  };
}
