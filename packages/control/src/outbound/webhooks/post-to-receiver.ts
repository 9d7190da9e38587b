// Sends one POST to an untrusted receiver: to a checked address, within one time limit for everything, without
// following redirects, and reading only the part of the reply that is shown.

import type { ReceiverPolicy } from "@dari/control/context";
import { dial, type Resolve, resolveName } from "@dari/network";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { parseReceiver, type Receiver } from "./check-receiver.ts";

export interface PostRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface PostOptions {
  readonly policy: ReceiverPolicy;
  /** From the DNS lookup to the end of the reply, in milliseconds. */
  readonly timeoutMs: number;
  /** How many bytes of the reply are read. */
  readonly replyBytes: number;
  /** Aborts the attempt. */
  readonly signal: AbortSignal;
  /** Default: the machine's name servers. */
  readonly resolve?: Resolve | undefined;
  /** CA certificates in PEM that replace the machine's. */
  readonly ca?: string | undefined;
}

export interface PostReply {
  readonly status: number;
  /** The beginning of the body. */
  readonly text: string;
  /** The value of `Retry-After`; 0 if it is absent or not understood. */
  readonly retryAfterSeconds: number;
}

/** @throws Error that says, for people, why there is no reply; the signal's reason if it aborts. */
export async function post(request: PostRequest, options: PostOptions): Promise<PostReply> {
  const { timeoutMs } = options;
  const limit = new AbortController();
  const timer = setTimeout(
    () => limit.abort(new Error(`there was no complete reply within ${timeoutMs} ms`)),
    timeoutMs,
  );
  const signal = AbortSignal.any([options.signal, limit.signal]);
  const receiver = parseReceiver(request.url);
  const sockets: Socket[] = [];
  const opened = async (opening: Promise<Socket>): Promise<Socket> => {
    const socket = await orAborted(opening, signal, (late) => late.destroy());
    sockets.push(socket);
    return socket;
  };
  try {
    const { policy, resolve = resolveName } = options;
    let socket = await opened(dial(policy, receiver.host, receiver.port, resolve));
    if (receiver.url.protocol === "https:") socket = await opened(secure(socket, receiver, options.ca));
    return await orAborted(exchange(socket, receiver, request, options.replyBytes), signal, () => undefined);
  } finally {
    clearTimeout(timer);
    for (const socket of sockets) socket.destroy();
  }
}

/** Returns the work's result, or rejects with the signal's reason. A later result goes to `discard`. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal, discard: (late: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason as Error);
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    work.then(
      (value) => {
        signal.removeEventListener("abort", giveUp);
        if (signal.aborted) discard(value);
        else resolve(value);
      },
      (error: unknown) => {
        signal.removeEventListener("abort", giveUp);
        reject(error as Error);
      },
    );
  });
}

function secure(socket: Socket, { host }: Receiver, ca: string | undefined): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const secured = connectTls({
      socket,
      host,
      ALPNProtocols: ["http/1.1"],
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(ca === undefined ? {} : { ca }),
    });
    secured.once("secureConnect", () => resolve(secured));
    secured.on("error", reject);
    secured.once("close", () => reject(new Error("the connection was closed before it was secure")));
  });
}

function exchange(socket: Socket, { url }: Receiver, request: PostRequest, replyBytes: number): Promise<PostReply> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({
      createConnection: () => socket,
      method: "POST",
      path: `${url.pathname}${url.search}`,
      headers: {
        ...request.headers,
        host: url.host,
        connection: "close",
        "content-length": String(Buffer.byteLength(request.body)),
      },
      setHost: false,
    });
    let answered = false;
    sent.once("response", (response) => {
      answered = true;
      readReply(response, replyBytes).then(resolve, reject);
    });
    sent.on("error", reject);
    sent.once("close", () => {
      // After a reply, its own end decides.
      if (!answered) reject(new Error("the connection was closed without a reply"));
    });
    sent.end(request.body);
  });
}

/** A body longer than `bytesMax` is cut and counts as complete. A body that ends early is an error. */
async function readReply(response: IncomingMessage, bytesMax: number): Promise<PostReply> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= bytesMax) break;
    }
  } catch (cause) {
    throw new Error(`the reply (${response.statusCode}) is incomplete`, { cause });
  }
  const text = Buffer.concat(chunks).subarray(0, bytesMax).toString("utf8");
  const asked = /^\d{1,9}$/.exec(response.headers["retry-after"] ?? "")?.[0] ?? "0";
  return { status: response.statusCode ?? 0, text, retryAfterSeconds: Number(asked) };
}
