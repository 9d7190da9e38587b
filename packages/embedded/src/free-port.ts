// Finds free ports on the loopback interface.

import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * Below the ports that kernels give to outgoing connections (Linux: from 32,768, macOS: from 49,152). A server that
 * restarts would otherwise lose its port to a connection.
 */
const ports = { lowest: 20_000, end: 32_768 };
const attempts = 100;

/** Returns whether nothing listens on `port` of 127.0.0.1 and this user may listen there. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await tryListen(port)) !== undefined;
}

/** Returns a port that was free a moment ago. Another process may take it first: be ready to call again. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const port = await tryListen(randomInt(ports.lowest, ports.end));
    if (port !== undefined) return port;
  }
  throw new Error(`No free port on 127.0.0.1 from ${ports.lowest} to ${ports.end - 1}`);
}

async function tryListen(port: number): Promise<number | undefined> {
  const server = createServer();
  const listening = Promise.withResolvers<boolean>();
  server.once("error", () => listening.resolve(false));
  server.listen({ port, host: "127.0.0.1", exclusive: true }, () => listening.resolve(true));
  if (!(await listening.promise)) return undefined;
  const address = server.address();
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  await closed.promise;
  return typeof address === "object" && address ? address.port : undefined;
}
