// Estimates the memory that sockets and pipes hold, where no control group counts it: the most that their number can
// hold.

import { readFile, readlink, stat } from "node:fs/promises";

/** Sockets and descriptors that are not counted: ordinary programs have that many and do not fill them. */
const socketsFree = 256;
const descriptorsFree = 4_096;
/** A pipe holds two pages once its user has many, and has two descriptors. */
const bytesPerDescriptor = 4_096;
/** Where the kernel does not say how much a socket's buffer may have. */
const defaultBufferBytes = 212_992;

export interface KernelMemory {
  /** Resolves with the most bytes that the processes `pids` can hold. */
  bytes(pids: readonly number[]): Promise<number>;
}

/** `init`: in whose network the sockets are, if that is not the host's. */
export function kernelMemoryOf(init: number): KernelMemory {
  let perSocket: Promise<number> | undefined;
  let isOwnNetwork: Promise<boolean> | undefined;
  return {
    async bytes(pids) {
      const sockets = (await (isOwnNetwork ??= hasOwnNetwork(init))) ? await countSockets(init) : 0;
      const descriptors = await countDescriptors(pids);
      return (
        Math.max(0, sockets - socketsFree) * (await (perSocket ??= socketBytes())) +
        Math.max(0, descriptors - descriptorsFree) * bytesPerDescriptor
      );
    },
  };
}

async function hasOwnNetwork(init: number): Promise<boolean> {
  const [own, its] = await Promise.all(["self", init].map((pid) => readlink(`/proc/${pid}/ns/net`).catch(() => "")));
  return its !== "" && own !== its;
}

async function countSockets(init: number): Promise<number> {
  const text = await readFile(`/proc/${init}/net/sockstat`, "latin1").catch(() => "");
  return Number(/^sockets: used (\d+)$/m.exec(text)?.[1] ?? 0);
}

/** What a program may set as a buffer counts twice in the kernel. */
async function socketBytes(): Promise<number> {
  const text = await readFile("/proc/sys/net/core/wmem_max", "latin1").catch(() => "");
  return 2 * (Number(text) || defaultBufferBytes);
}

/** From Linux 6.2 on the size of the directory is their number; before it is 0. */
async function countDescriptors(pids: readonly number[]): Promise<number> {
  const sizes = await Promise.all(
    pids.map((pid) =>
      stat(`/proc/${pid}/fd`).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
