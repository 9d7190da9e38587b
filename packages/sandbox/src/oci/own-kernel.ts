// What is different for a runtime with a kernel of its own (gVisor): what bounds which of the two, and the way out.

import { once } from "node:events";
import { open } from "node:fs/promises";
import { createServer } from "node:net";
import type { Egress } from "../egress/egress.ts";
import type { SandboxLimits } from "../types.ts";

/** What it needs beside the program, bytes; the runtime while it starts one included. */
const kernelBytes = 128 * 1024 * 1024;
/** For this machine, to which program and kernel are one: the program's processes are not to be counted here. */
export function limitsOfKernel({ processes: _ofProgram, memoryBytes, ...others }: SandboxLimits): SandboxLimits {
  return memoryBytes === undefined ? others : { ...others, memoryBytes: memoryBytes + kernelBytes };
}

/**
 * For that kernel, in which the program's user is ours as well: of the first process, and of relay.c of @dari/native if
 * that runs.
 */
export function limitsInKernel(limits: SandboxLimits, egress: object | undefined): SandboxLimits {
  const ours = egress === undefined ? 1 : 2;
  return limits.processes === undefined ? limits : { ...limits, processes: limits.processes + ours };
}

/** Listens in `dir` for what the relay connects to. By a descriptor: a socket's name has at most 107 bytes. */
export async function serveRelay(dir: string, egress: Pick<Egress, "ports" | "serve">): Promise<void> {
  const handle = await open(dir);
  const servers = egress.ports.map((port) => ({ port, server: createServer() }));
  // Node removes a socket at its server's end, by the name it was made with: until then the number is this directory's.
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
