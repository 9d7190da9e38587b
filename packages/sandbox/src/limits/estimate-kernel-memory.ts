// Estimates the kernel memory of sockets and pipes, for machines without control groups: the maximum that their number
// can take.

import { readFile, readlink, stat } from "node:fs/promises";

/** This many sockets and descriptors are not counted: ordinary programs have them, and do not fill their buffers. */
const socketsFree = 256;
const descriptorsFree = 4_096;
/** A pipe has two descriptors, and two pages if its user has many pipes. */
const bytesPerDescriptor = 4_096;
/** Used if the kernel does not report the size of a socket's buffer. */
const defaultBufferBytes = 212_992;

export interface KernelMemoryMeter {
  /** Returns the maximum number of bytes that the processes `pids` can hold. */
  bytes(pids: readonly number[]): Promise<number>;
}

/** Returns a meter. `init`: a process in the network namespace of the sandbox, whose sockets are counted. */
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

/** Returns the maximum size of a socket's buffer. The kernel doubles the size that a program sets. */
async function socketBytes(): Promise<number> {
  const text = await readFile("/proc/sys/net/core/wmem_max", "latin1").catch(() => "");
  return 2 * (Number(text) || defaultBufferBytes);
}

/**
 * Counts descriptors by the size of /proc/PID/fd, which is their number from Linux 6.2 on. On older kernels it is 0.
 */
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
