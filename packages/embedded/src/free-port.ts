// Finds free ports on the loopback interface.

import { createServer } from "node:net";

/** Returns whether nothing listens on `port` of 127.0.0.1 and this user may listen there. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await tryListen(port)) !== undefined;
}

/** Returns a port that was free a moment ago. Another process may take it first: be ready to call again. */
export async function freePort(): Promise<number> {
  const port = await tryListen(0);
  if (port === undefined) throw new Error("No free port on 127.0.0.1");
  return port;
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
