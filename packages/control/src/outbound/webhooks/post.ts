// One POST to a receiver that may be anybody: to an address that was looked at, within one time limit for all of it,
// without following anything, reading no more of the reply than is shown. Knows no delivery.

import type { ReceiverPolicy } from "@dari/control/context";
import { dial, type Resolve, resolveName } from "@dari/network";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { receiverOf, type Receiver } from "./receivers.ts";

export interface PostRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface PostOptions {
  readonly policy: ReceiverPolicy;
  /** From the look-up of the name to the end of the reply: milliseconds. */
  readonly timeoutMs: number;
  /** How many bytes of the reply are read. */
  readonly replyBytes: number;
  /** Aborts the attempt. */
  readonly signal: AbortSignal;
  /** Default: the machine's name servers. */
  readonly resolve?: Resolve | undefined;
  /** Certificates that are trusted in place of the machine's, in PEM. */
  readonly ca?: string | undefined;
}

export interface PostReply {
  readonly status: number;
  /** How the body began. */
  readonly text: string;
  /** What `Retry-After` asks for; 0: nothing that is understood. */
  readonly retryAfterSeconds: number;
}

/** @throws Error whose message says, for a person, why there is no reply; the signal's reason when that aborts. */
export async function post(request: PostRequest, options: PostOptions): Promise<PostReply> {
  const { timeoutMs } = options;
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new Error(`there was no whole reply within ${timeoutMs} ms`)), timeoutMs);
  const signal = AbortSignal.any([options.signal, limit.signal]);
  const receiver = receiverOf(request.url);
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

/** The work's outcome, or the signal's reason; what comes of the work later goes to `discard`. */
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
      // A reply's own end says what came of it.
      if (!answered) reject(new Error("the connection was closed without a reply"));
    });
    sent.end(request.body);
  });
}

/** What is longer than `bytesMax` is cut there, and as good as whole; what ends before its own end is not. */
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
    throw new Error(`the reply (${response.statusCode}) broke off`, { cause });
  }
  const text = Buffer.concat(chunks).subarray(0, bytesMax).toString("utf8");
  const asked = /^\d{1,9}$/.exec(response.headers["retry-after"] ?? "")?.[0] ?? "0";
  return { status: response.statusCode ?? 0, text, retryAfterSeconds: Number(asked) };
}
