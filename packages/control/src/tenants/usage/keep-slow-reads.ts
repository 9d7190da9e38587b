// Keeps the answers of slow reads for a while, so that repeating them takes a bounded part of the database's time.

/** A faster read is done again for each call. Milliseconds. */
const fastMs = 50;
/** An answer is kept so many times longer than its read took. */
const keepFactor = 20;
const keptMsMax = 60_000;
/** The oldest entry is dropped above this. */
const entriesMax = 1_000;

interface Entry<Value> {
  readonly value: Promise<Value>;
  /** Undefined while the read runs. */
  until: number | undefined;
}

/**
 * Returns a function that reads the value of a key. Calls during a read share it. An answer that took 1 s is kept for
 * 20 s, at most for a minute; a fast or failed one is not kept. `now`: a clock in milliseconds.
 */
export function keepSlowReads<Value>(now: () => number = () => performance.now()) {
  const entries = new Map<string, Entry<Value>>();
  return (key: string, read: () => Promise<Value>): Promise<Value> => {
    const known = entries.get(key);
    if (known !== undefined && (known.until === undefined || known.until > now())) return known.value;
    const startedAt = now();
    const entry: Entry<Value> = { value: read(), until: undefined };
    entries.delete(key);
    entries.set(key, entry);
    for (const oldest of [...entries.keys()].slice(0, -entriesMax)) entries.delete(oldest);
    const end = (hasValue: boolean): void => {
      const tookMs = now() - startedAt;
      if (hasValue && tookMs >= fastMs) entry.until = now() + Math.min(keptMsMax, keepFactor * tookMs);
      else if (entries.get(key) === entry) entries.delete(key);
    };
    entry.value.then(
      () => end(true),
      () => end(false),
    );
    return entry.value;
  };
}
