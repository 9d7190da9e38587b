// Waits with a time limit.

/** Returns the result, or undefined after this many milliseconds. */
export async function withTimeout<T>(ms: number, promised: Promise<T>): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), ms);
  timer.unref();
  try {
    return await Promise.race([promised, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
