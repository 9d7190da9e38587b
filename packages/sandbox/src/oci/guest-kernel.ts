// Differences of a runtime with its own kernel (gVisor): which limits apply to which kernel, and the network access.

import { once } from "node:events";
import { open } from "node:fs/promises";
import { createServer } from "node:net";
import type { Egress } from "../egress/egress.ts";
import type { SandboxLimits } from "../types.ts";

/** Memory of the kernel besides the program, including the runtime during a start, in bytes. */
const kernelBytes = 128 * 1024 * 1024;
/** For this machine, program and kernel are one process, so the program's processes are not counted here. */
export function limitsForHost({ processes: _ofProgram, memoryBytes, ...others }: SandboxLimits): SandboxLimits {
  return memoryBytes === undefined ? others : { ...others, memoryBytes: memoryBytes + kernelBytes };
}

/**
 * Limits in that kernel, where the program's user also owns our processes: the first one, and relay.c of @dari/native
 * if it runs.
 */
export function limitsForGuestKernel(limits: SandboxLimits, egress: object | undefined): SandboxLimits {
  const ours = egress === undefined ? 1 : 2;
  return limits.processes === undefined ? limits : { ...limits, processes: limits.processes + ours };
}

/** Listens in `dir` for connections of the relay. By a descriptor, because a socket's name has at most 107 bytes. */
export async function listenForRelay(dir: string, egress: Pick<Egress, "ports" | "serve">): Promise<void> {
  const handle = await open(dir);
  const servers = egress.ports.map((port) => ({ port, server: createServer() }));
  // When a server closes, Node removes its socket by the name that it was created with, so the descriptor must stay
  // open until then.
  const closed = servers.map(({ server }) => new Promise((resolve) => server.once("close", resolve)));
  void Promise.all(closed).then(() => handle.close());
  try {
    for (const { port, server } of servers) {
      await once(server.listen(`/proc/self/fd/${handle.fd}/${port}`), "listening");
      egress.serve(port, server);
    }
  } catch (error) {
    for (const { server } of servers) server.close();
    throw error;
  }
}
