// Runs the API on a port, from listening to the last answer.

import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Control } from "@dari/control/context";
import { limits } from "@dari/domain";
import { StartError } from "@dari/runtime";
import { createApp, type AppOptions } from "./app.ts";

export interface StartApiOptions {
  readonly control: Control;
  readonly host: string;
  /** 0 chooses a free port. */
  readonly port: number;
  /** Starts the drain when it aborts, as `close` does. */
  readonly signal?: AbortSignal;
  /** When it aborts, a drain closes all open connections. */
  readonly stopNow?: AbortSignal;
  /** How long requests may continue after the drain starts, in milliseconds. */
  readonly graceMs?: number;
  readonly app?: Omit<AppOptions, "draining">;
}

export interface RunningApi extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Stops accepting, answers waiting calls, and lets requests end within `graceMs`. Resolves when nothing is open. */
  close(): Promise<void>;
  /** Resolves when the server has closed for any reason. */
  readonly closed: Promise<void>;
}

/** Uploads of several gigabytes over slow lines must work. Headers have a shorter limit. */
const requestTimeoutMs = 3_600_000;
const headersTimeoutMs = 30_000;
/** Longer than the idle timeouts of common load balancers, so that they never reuse a connection we just closed. */
const keepAliveTimeoutMs = 75_000;
/** How long a drain waits for the first request of a new connection: it may be in transit. */
const firstRequestMs = 1_000;

/** Rejects if it cannot listen on the address. */
export async function startApi(options: StartApiOptions): Promise<RunningApi> {
  const draining = new AbortController();
  const open = new Set<ServerResponse>();
  const silent = new Set<Socket>();
  const app = createApp(options.control, { ...options.app, draining: draining.signal });
  const server = createServer(
    { requestTimeout: requestTimeoutMs, headersTimeout: headersTimeoutMs, keepAliveTimeout: keepAliveTimeoutMs },
    (request, response) => {
      if (draining.signal.aborted) response.setHeader("connection", "close");
      silent.delete(request.socket);
      open.add(response);
      response.once("close", () => {
        open.delete(response);
        // A drain does not wait for the idle timeout of a connection whose reply was under way when it started.
        if (draining.signal.aborted) server.closeIdleConnections();
      });
      app(request, response);
    },
  );
  server.on("connection", (socket) => {
    silent.add(socket);
    socket.once("close", () => silent.delete(socket));
  });
  await listen(server, options);
  const closed = new Promise<void>((resolve) => server.once("close", resolve));
  const graceMs = options.graceMs ?? limits.shutdownGraceMs;
  const close = (): Promise<void> => {
    if (!draining.signal.aborted) drain({ server, open, silent, draining, closed, graceMs, stopNow: options.stopNow });
    return closed;
  };
  if (options.signal?.aborted === true) void close();
  else options.signal?.addEventListener("abort", () => void close(), { once: true });
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  return { port, url: `http://${host}:${port}`, close, closed, [Symbol.asyncDispose]: close };
}

/** @throws StartError if the port is taken. */
async function listen(server: Server, { port, host }: StartApiOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      const isTaken = error.code === "EADDRINUSE";
      reject(isTaken ? new StartError(`port ${port} of ${host} is taken: set DARI_PORT to another one`) : error);
    };
    server.once("error", fail);
    server.listen(port, host, () => {
      server.off("error", fail);
      resolve();
    });
  });
}

interface Drain {
  readonly server: Server;
  readonly open: ReadonlySet<ServerResponse>;
  /**
   * Connections without a request so far, which browsers and pools open in advance. Node does not count them as idle.
   */
  readonly silent: ReadonlySet<Socket>;
  readonly draining: AbortController;
  readonly closed: Promise<void>;
  readonly graceMs: number;
  readonly stopNow: AbortSignal | undefined;
}

function drain({ server, open, silent, draining, closed, graceMs, stopNow }: Drain): void {
  server.close();
  // A connection that stays open after its last answer would keep the server from closing.
  for (const response of open) if (!response.headersSent) response.setHeader("connection", "close");
  draining.abort();
  const closeAll = (): void => server.closeAllConnections();
  if (stopNow?.aborted === true) closeAll();
  else stopNow?.addEventListener("abort", closeAll, { once: true });
  const timers = [
    setTimeout(() => silent.forEach((socket) => socket.destroy()), Math.min(firstRequestMs, graceMs)),
    setTimeout(closeAll, graceMs),
  ];
  void closed.then(() => timers.forEach(clearTimeout));
}
