// What the processes below one use together, for machines where no control group says it.

import { readdir, readFile } from "node:fs/promises";

export interface TreeUse {
  /** Memory of their own, bytes: shared pages and files are not counted. */
  readonly memoryBytes: number;
  readonly pids: readonly number[];
  /** Processes and their threads. */
  readonly processes: number;
}

const pageBytes = 4096;

/** `root` itself is not counted. A process that is gone meanwhile counts as nothing. */
export async function measureTree(root: number): Promise<TreeUse> {
  let memoryBytes = 0;
  let processes = 0;
  const pids: number[] = [];
  const left = (await lookAt(root)).children;
  for (let pid = left.pop(); pid !== undefined; pid = left.pop()) {
    const { threads, children } = await lookAt(pid);
    pids.push(pid);
    processes += threads.length;
    memoryBytes += await ownMemoryOf(pid, threads);
    left.push(...children);
  }
  return { memoryBytes, processes, pids };
}

/** A first thread that has ended says nothing of the memory that the others still have. */
async function ownMemoryOf(pid: number, threads: readonly string[]): Promise<number> {
  for (const thread of threads) {
    const [, resident = 0, shared = 0] = (await read(`/proc/${pid}/task/${thread}/statm`)).split(" ").map(Number);
    if (resident > 0) return (resident - shared) * pageBytes;
  }
  return 0;
}

/** Each thread has its own children. */
async function lookAt(pid: number): Promise<{ threads: string[]; children: number[] }> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(threads.map((thread) => read(`/proc/${pid}/task/${thread}/children`)));
  const children = lists.flatMap((list) => list.split(" ").filter((one) => one !== ""));
  return { threads, children: children.map(Number) };
}

async function read(path: string): Promise<string> {
  return readFile(path, "latin1").catch(() => "");
}
