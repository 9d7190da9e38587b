// Differences of a runtime with its own kernel (gVisor): which limits apply to which kernel, and the network access.

import { once } from "node:events";
import { open } from "node:fs/promises";
import { createServer } from "node:net";
import type { Egress } from "@dari/gateway";
import type { SandboxLimits } from "../types.ts";

/** Memory that the kernel needs besides the program, in bytes. Includes the runtime while it starts. */
const kernelBytes = 128 * 1024 * 1024;

/**
 * Returns the limits for the host's control group. The host sees kernel and program as one process, so it counts none.
 */
export function limitsForHost({ processes: _ofProgram, memoryBytes, ...others }: SandboxLimits): SandboxLimits {
  return memoryBytes === undefined ? others : { ...others, memoryBytes: memoryBytes + kernelBytes };
}

/**
 * Returns the limits inside the separate kernel. There the program's user also owns our processes: the first one, and
 * relay.c of @dari/native if it runs.
 */
export function limitsForGuestKernel(limits: SandboxLimits, egress: object | undefined): SandboxLimits {
  const ours = egress === undefined ? 1 : 2;
  return limits.processes === undefined ? limits : { ...limits, processes: limits.processes + ours };
}

/** Listens in `dir` for connections of the relay. Uses a short path by a descriptor: a socket's name has 107 bytes. */
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
