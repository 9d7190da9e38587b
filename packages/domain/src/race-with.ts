// Waits for many events that share one end.

/**
 * Returns a function like `Promise.race([each, end])`, for many `each` and one `end` that comes much later. A race
 * would keep the result of every `each` in memory until `end` settles.
 */
export function createRaceWith<End>(end: Promise<End>): <Each>(each: Promise<Each>) => Promise<Each | End> {
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
