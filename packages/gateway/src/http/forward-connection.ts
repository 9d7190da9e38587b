// Connects a client that knows nothing of a proxy: it gets bytes of its destination, or a reset.

import type { Socket } from "node:net";
import type { Terminator } from "./terminate-tls.ts";
import type { Target, Traffic } from "../traffic.ts";

/** Connects a client to its destination, as a tunnel of the proxy. If that fails, the log says why. Never rejects. */
export async function forward(traffic: Traffic, terminator: Terminator, client: Socket, target: Target): Promise<void> {
  try {
    if (terminator.isFor(target)) {
      return terminator.serveTunnel(client, Buffer.of(), target, await terminator.open(target));
    }
    const upstream = await traffic.open(target);
    // A client that wants small pieces to be collected does that itself.
    for (const socket of [client, upstream]) socket.setNoDelay(true);
    traffic.join(client, upstream);
  } catch {
    // A relay's connection is no TCP connection, so it cannot be reset.
    if (client.localAddress === undefined) client.destroy();
    else client.resetAndDestroy();
  }
}
