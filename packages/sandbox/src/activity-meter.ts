// Tells from a sandbox's processor time whether anything in it runs. Where nothing runs, no usage can grow.

/**
 * A sandbox counts as active for this long after something in it has run: longer than any check puts off what it has
 * noticed. In milliseconds.
 */
const activeForMs = 5_000;

/**
 * Returns a function that says whether anything has run since five seconds before the last call. `cpuSeconds`: the
 * processor time so far; a sandbox whose time is unknown counts as active.
 */
export function createActivityMeter(
  cpuSeconds: () => number | undefined,
  now: () => number = () => performance.now(),
): () => boolean {
  let before: number | undefined;
  let changedAt = now();
  return () => {
    const used = cpuSeconds();
    if (used === undefined || used !== before) changedAt = now();
    before = used;
    return now() - changedAt <= activeForMs;
  };
}
