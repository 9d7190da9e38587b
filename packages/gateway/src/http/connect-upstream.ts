// Connections to the hosts of tunnels.

import { once } from "node:events";
import { Agent } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { UntrustedHostError } from "@dari/network";

/** HTTP/2 is not read. */
export const alpn = ["http/1.1"];
const handshakeWithinMs = 15_000;

/** Resolves with a connection whose certificate is verified. @throws UntrustedHostError */
export async function verify(plain: Socket, name: string, trusted: readonly string[] | undefined): Promise<TLSSocket> {
  const ca = trusted === undefined ? {} : { ca: [...trusted] };
  const to = { socket: plain, servername: name, host: name, ALPNProtocols: alpn };
  // Verify the certificate even if the worker's environment disables that (NODE_TLS_REJECT_UNAUTHORIZED).
  const secured = connectTls({ ...to, rejectUnauthorized: true, ...ca });
  secured.setTimeout(handshakeWithinMs, () =>
    secured.destroy(new Error(`TLS took longer than ${handshakeWithinMs} ms`)),
  );
  try {
    await once(secured, "secureConnect");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UntrustedHostError(`its TLS connection cannot be trusted: ${code ?? message}`);
  }
  secured.setTimeout(0);
  return secured;
}

/** Makes a plain connection close once the host has closed its side: clients of a tunnel must notice that. */
export function closeTogether(plain: Socket): Promise<Socket> {
  plain.allowHalfOpen = false;
  return Promise.resolve(plain);
}

/** An agent with one connection, which it uses for all requests. */
export class OneConnection extends Agent {
  #socket: Socket | undefined;

  constructor(socket: Socket) {
    super({ keepAlive: true, maxSockets: 1 });
    this.#socket = socket;
  }

  override createConnection(_options: object, done?: (error: Error | null, socket: Duplex) => void): undefined {
    const socket = this.#socket;
    this.#socket = undefined;
    const isClosed = socket === undefined || socket.destroyed;
    done?.(isClosed ? new Error("the connection is closed") : null, socket as Duplex);
  }
}
