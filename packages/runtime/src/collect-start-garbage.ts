// Returns the memory of a program's start to the system.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Collects what loading the modules left in the heap, some 60 MB. A program at rest allocates so little that V8 would
 * not collect it for minutes. After one collection, V8 also shrinks its heap.
 */
export async function collectStartGarbage(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as NodeJS.GCFunction;
  setFlagsFromString("--no-expose-gc");
  await collect({ type: "major", execution: "async" });
}
