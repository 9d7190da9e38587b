// Waiting for many things, one after the other, and for the one end that they share.

/**
 * Answers a function that is `Promise.race([each, end])`, for many `each` and one `end` that comes much later. A race
 * would keep what every single `each` came to for as long as `end` is open.
 */
export function untilEnd<End>(end: Promise<End>): <Each>(each: Promise<Each>) => Promise<Each | End> {
  let tell: (() => void) | undefined;
  let hasEnded = false;
  const ended = (): void => {
    hasEnded = true;
    tell?.();
  };
  end.then(ended, ended);
  return (each) => {
    if (hasEnded) return Promise.race([each, end]);
    return new Promise((resolve, reject) => {
      tell = () => resolve(end);
      each.then(resolve, reject);
    });
  };
}
