// What the processes below one use together, for machines where no control group says it.

import { readdir, readFile } from "node:fs/promises";

export interface TreeUse {
  /** Memory of their own, bytes: shared pages and files are not counted. */
  readonly memoryBytes: number;
  readonly processes: number;
}

const pageBytes = 4096;

/** `root` itself is not counted. A process that is gone meanwhile counts as nothing. */
export async function measureTree(root: number): Promise<TreeUse> {
  let memoryBytes = 0;
  let processes = 0;
  const left = await childrenOf(root);
  for (let pid = left.pop(); pid !== undefined; pid = left.pop()) {
    processes += 1;
    const [, resident = 0, shared = 0] = (await read(`/proc/${pid}/statm`)).split(" ").map(Number);
    memoryBytes += (resident - shared) * pageBytes;
    left.push(...(await childrenOf(pid)));
  }
  return { memoryBytes, processes };
}

/** Of all threads: each has its own children. */
async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(threads.map((thread) => read(`/proc/${pid}/task/${thread}/children`)));
  return lists.flatMap((list) =>
    list
      .split(" ")
      .filter((one) => one !== "")
      .map(Number),
  );
}

async function read(path: string): Promise<string> {
  return readFile(path, "latin1").catch(() => "");
}
