// Measures all processes below one process, for machines without control groups.

import { readdir, readFile } from "node:fs/promises";

export interface TreeUse {
  /** The own memory of the processes, in bytes, without shared pages and files. */
  readonly memoryBytes: number;
  readonly pids: readonly number[];
  /** Number of processes and threads. */
  readonly processes: number;
}

const pageBytes = 4096;
/**
 * Maximum number of concurrent reads: without a limit, a sandbox can have more threads than this process may open
 * files.
 */
const readsAtOnce = 64;

/**
 * Measures the processes below `root`, without `root` itself. Ignores processes that have ended. Stops once it has
 * found more than `processesMax`.
 */
export async function measureTree(root: number, processesMax = Infinity): Promise<TreeUse> {
  let memoryBytes = 0;
  let processes = 0;
  const pids: number[] = [];
  const left = (await readThreads(root)).children;
  for (let pid = left.pop(); pid !== undefined && processes <= processesMax; pid = left.pop()) {
    const { threads, children } = await readThreads(pid, processesMax - processes);
    pids.push(pid);
    processes += threads.length;
    memoryBytes += await ownMemoryOf(pid, threads);
    for (const child of children) left.push(child);
  }
  return { memoryBytes, processes, pids };
}

/** Returns the own memory of a process. If the first thread has ended, it reports nothing, so ask the other threads. */
async function ownMemoryOf(pid: number, threads: readonly string[]): Promise<number> {
  for (const thread of threads) {
    const [, resident = 0, shared = 0] = (await read(`/proc/${pid}/task/${thread}/statm`)).split(" ").map(Number);
    if (resident > 0) return (resident - shared) * pageBytes;
  }
  return 0;
}

/**
 * Returns the threads of a process and the children of each. With more threads than `threadsMax`, reads no children.
 */
async function readThreads(pid: number, threadsMax = Infinity): Promise<{ threads: string[]; children: number[] }> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const children: number[] = [];
  if (threads.length > threadsMax) return { threads, children };
  for (let from = 0; from < threads.length; from += readsAtOnce) {
    const some = threads.slice(from, from + readsAtOnce);
    const lists = await Promise.all(some.map((thread) => read(`/proc/${pid}/task/${thread}/children`)));
    for (const one of lists.flatMap((list) => list.split(" "))) if (one !== "") children.push(Number(one));
  }
  return { threads, children };
}

async function read(path: string): Promise<string> {
  return readFile(path, "latin1").catch(() => "");
}
