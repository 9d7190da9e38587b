// A TCP proxy on loopback that breaks connections on demand, as a server's restart does.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface FaultyProxy extends AsyncDisposable {
  readonly url: string;
  /** Cuts every open connection, and the next `count` new ones. */
  refuseNext(count: number): void;
  /** Cuts the next connection that has carried this many bytes from the server. */
  cutNextAnswerAfter(bytes: number): void;
}

/** Listens on a free loopback port until disposed. */
export async function startFaultyProxy(target: URL): Promise<FaultyProxy> {
  const sockets = new Set<Socket>();
  let refusals = 0;
  let cutAfter = Number.POSITIVE_INFINITY;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  };

  const server = createServer((client) => {
    keep(client);
    if (refusals > 0) {
      refusals--;
      client.destroy();
      return;
    }
    const upstream = connect(Number(target.port), target.hostname);
    keep(upstream);
    let carried = 0;
    upstream.on("data", (bytes) => {
      carried += bytes.length;
      if (carried < cutAfter) return;
      cutAfter = Number.POSITIVE_INFINITY;
      upstream.destroy();
      client.destroy();
    });
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cutAll = (): void => sockets.forEach((socket) => socket.destroy());

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refuseNext(count) {
      refusals = count;
      cutAll();
    },
    cutNextAnswerAfter(bytes) {
      cutAfter = bytes;
    },
    async [Symbol.asyncDispose]() {
      cutAll();
      server.close();
      await once(server, "close");
    },
  };
}
