// Estimates the memory of sockets and pipes without control groups: the maximum for their number.

import { readFile, readlink, stat } from "node:fs/promises";

/** Sockets and descriptors that are not counted: ordinary programs have this many and do not fill them. */
const socketsFree = 256;
const descriptorsFree = 4_096;
/** A pipe has two descriptors, and two pages once its user has many. */
const bytesPerDescriptor = 4_096;
/** Used if the kernel does not report the size of a socket's buffer. */
const defaultBufferBytes = 212_992;

export interface KernelMemoryMeter {
  /** Returns the maximum number of bytes that the processes `pids` can hold. */
  bytes(pids: readonly number[]): Promise<number>;
}

/** `init`: a process in the sockets' network namespace, if that is not the host's. */
export function createKernelMemoryMeter(init: number): KernelMemoryMeter {
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

/** The kernel doubles the buffer size that a program sets. */
async function socketBytes(): Promise<number> {
  const text = await readFile("/proc/sys/net/core/wmem_max", "latin1").catch(() => "");
  return 2 * (Number(text) || defaultBufferBytes);
}

/** From Linux 6.2 on, the size of the directory is the number of descriptors; before it is 0. */
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
