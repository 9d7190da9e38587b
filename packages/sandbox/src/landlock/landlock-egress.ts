// The network access of a sandbox on the host's network: a proxy on a loopback port that only this sandbox may connect
// to.

import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { type EgressOptions, openEgress, proxyPort } from "@dari/gateway";
import type { UserAndPorts } from "./user-and-ports.ts";

export interface LandlockEgress {
  /** The proxy's port. */
  readonly port: number;
  /** Loopback ports that the operator opened. They are on this machine, so the sandbox connects to them directly. */
  readonly directPorts: readonly number[];
  /** See `Egress.trustDir`. */
  readonly trustDir: string | undefined;
  /** Closes every connection. Idempotent. */
  close(): void;
}

/** @throws if another program uses the place's ports */
export async function openLandlockEgress(
  options: EgressOptions,
  slotDir: string,
  place: UserAndPorts,
): Promise<LandlockEgress> {
  const egress = openEgress(options, slotDir);
  const server = createServer();
  try {
    const port = await listenWithin(server, place);
    egress.serve(proxyPort, server);
    const directPorts = egress.ports.filter((each) => each !== proxyPort);
    return { port, directPorts, trustDir: egress.trustDir, close: () => egress.close() };
  } catch (error) {
    egress.close();
    throw error;
  }
}

/** Listens on one of the sandbox's own ports. Skips ports that outgoing connections use. */
async function listenWithin(server: Server, { firstPort, lastPort }: UserAndPorts): Promise<number> {
  for (let port = lastPort; ; port--) {
    try {
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
      return port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE" || port === firstPort) throw error;
    }
  }
}
