// The way out of a sandbox that shares the host's network: a proxy on a loopback port, to which only it may connect.

import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { openEgress, proxyPort } from "../egress/egress.ts";
import type { EgressOptions } from "../egress/traffic.ts";
import type { Place } from "./places.ts";

export interface WayOut {
  /** The proxy's. */
  readonly port: number;
  /** Loopback ports that the operator opened: they are this machine's own, so nothing stands in between. */
  readonly directPorts: readonly number[];
  /** See `Egress`. */
  readonly trustDir: string | undefined;
  /** Ends every connection. Idempotent. */
  close(): void;
}

/** @throws when something else has taken the place's ports. */
export async function openWayOut(options: EgressOptions, slotDir: string, place: Place): Promise<WayOut> {
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

/** Listens on one of the place's own ports, which nobody else uses. Ports of outgoing connections are skipped. */
async function listenWithin(server: Server, { firstPort, lastPort }: Place): Promise<number> {
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
