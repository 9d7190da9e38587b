// What a platform is filled with, and how: few calls at once.

import type { Platform } from "../conversation.ts";

export interface Filling extends Platform {
  readonly dataDir: string;
  /** Sessions in all, without those of the running batch. */
  readonly sessions: number;
  readonly agents: number;
  /** Where webhooks are received. */
  readonly receiverUrl: string;
}

/** Calls at once. */
const parallel = 8;

export function times<Value>(count: number, make: (index: number) => Value): Value[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** Like `map`, for calls: few of them run at once. */
export async function mapEach<Value, Result>(
  values: readonly Value[],
  call: (value: Value, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const left = values.map((value, index) => ({ value, index }));
  const run = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      results[next.index] = await call(next.value, next.index);
    }
  };
  await Promise.all(times(parallel, run));
  return results;
}
