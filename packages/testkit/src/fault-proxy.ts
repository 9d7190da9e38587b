// A TCP proxy on loopback that misbehaves on request: it holds, delays, cuts, refuses, and drops replies. It knows only
// how a protocol's reply ends.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface ReplyDrop {
  /** A text in the request whose reply is lost. */
  readonly request: string;
  /** Whether this is the end of the reply, given its last bytes. */
  readonly endsReply: (tail: Buffer) => boolean;
  /** Whether the connection is then cut, or stays open and silent. */
  readonly then: "cut" | "hold";
}

export interface FaultProxy extends AsyncDisposable {
  readonly port: number;
  readonly connections: number;
  /** Forwards everything again; held bytes arrive late, as after a network partition. */
  forward(): void;
  /** Nothing passes in either direction and nothing is closed; new connections are accepted but get no data. */
  blackHole(): void;
  /** Breaks every connection; new ones work. */
  cut(): void;
  /** Breaks every connection, including new ones. */
  refuse(): void;
  /** Delays everything by this time in each direction. Milliseconds. */
  delay(ms: number): void;
  /** Forwards one request and loses its reply. Resolves when that has happened; gives up when `signal` aborts. */
  dropReply(drop: ReplyDrop, signal?: AbortSignal): Promise<void>;
  /** Resolves when a client has sent this text. */
  hears(text: string, signal?: AbortSignal): Promise<void>;
}

/** Returns whether a reply of Postgres ends here, with no open transaction: ReadyForQuery, idle. */
export function endsPostgresReply(tail: Buffer): boolean {
  return tail.subarray(-6).equals(Buffer.from([0x5a, 0, 0, 0, 5, 0x49]));
}

/** Small HTTP replies come in one piece. */
export const endsHttpReply = (): boolean => true;

interface Line {
  readonly client: Socket;
  readonly server: Socket;
  dropping: Trap | undefined;
  holding: boolean;
}

interface Trap {
  readonly text: string;
  readonly drop: ReplyDrop | undefined;
  readonly done: () => void;
}

interface State {
  mode: "forward" | "hold" | "refuse";
  delayMs: number;
  readonly lines: Set<Line>;
  /** Accepted while nothing passes, and connected later. */
  readonly waiting: Set<Socket>;
  readonly traps: Set<Trap>;
}

/** Listens on a free port and forwards to `target`, which may be down. */
export async function startFaultProxy(target: { readonly port: number }): Promise<FaultProxy> {
  const state: State = { mode: "forward", delayMs: 0, lines: new Set(), waiting: new Set(), traps: new Set() };
  const server = createServer((client) => accept(state, client, target.port));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    for (const line of state.lines) breakOff(line);
    for (const socket of state.waiting) reset(socket);
  };
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return state.lines.size;
    },
    forward() {
      state.mode = "forward";
      state.delayMs = 0;
      for (const socket of state.waiting) open(state, socket, target.port);
      state.waiting.clear();
      for (const line of state.lines) if (!line.holding) resume(line);
    },
    blackHole() {
      state.mode = "hold";
      for (const line of state.lines) pause(line);
    },
    cut,
    refuse() {
      state.mode = "refuse";
      cut();
    },
    delay: (ms) => void (state.delayMs = ms),
    dropReply: (drop, signal) => spring(state, drop.request, drop, signal),
    hears: (text, signal) => spring(state, text, undefined, signal),
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      cut();
      await closed;
    },
  };
}

function spring(state: State, text: string, drop: ReplyDrop | undefined, signal?: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const trap: Trap = { text, drop, done: resolve };
  state.traps.add(trap);
  const giveUp = (): void => {
    state.traps.delete(trap);
    reject(signal?.reason as Error);
  };
  if (signal?.aborted === true) giveUp();
  else signal?.addEventListener("abort", giveUp, { once: true });
  return promise;
}

function accept(state: State, client: Socket, port: number): void {
  client.on("error", () => undefined);
  if (state.mode === "refuse") reset(client);
  else if (state.mode === "forward") open(state, client, port);
  else {
    client.pause();
    state.waiting.add(client);
    client.once("close", () => state.waiting.delete(client));
  }
}

function open(state: State, client: Socket, port: number): void {
  const server = connect({ port, host: "127.0.0.1", noDelay: true });
  client.setNoDelay(true);
  const line: Line = { client, server, dropping: undefined, holding: false };
  state.lines.add(line);
  server.on("error", () => reset(client));
  client.on("error", () => reset(server));
  client.once("close", () => {
    state.lines.delete(line);
    server.destroySoon();
  });
  server.once("close", () => client.destroySoon());
  pump(state, client, server, (chunk) => {
    watchRequest(state, line, chunk);
    return true;
  });
  pump(state, server, client, replyFilter(line));
  if (client.isPaused()) client.resume();
}

/** Forwards the data of `from`, in order and with the requested delay; `passes` can withhold a piece. */
function pump(state: State, from: Socket, to: Socket, passes: (chunk: Buffer) => boolean): void {
  let late: Promise<void> | undefined;
  const write = (chunk: Buffer): void => {
    if (to.destroyed) return;
    if (to.write(chunk) || state.mode === "hold") return;
    from.pause();
    to.once("drain", () => state.mode !== "hold" && from.resume());
  };
  from.on("data", (chunk: Buffer) => {
    if (!passes(chunk)) return;
    if (state.delayMs === 0 && late === undefined) return write(chunk);
    const due = performance.now() + state.delayMs;
    const mine: Promise<void> = (late ?? Promise.resolve())
      .then(() => new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now()))))
      .then(() => {
        write(chunk);
        if (late === mine) late = undefined;
      });
    late = mine;
  });
}

function watchRequest(state: State, line: Line, chunk: Buffer): void {
  for (const trap of state.traps) {
    if (!chunk.includes(trap.text)) continue;
    state.traps.delete(trap);
    if (trap.drop === undefined) trap.done();
    else line.dropping = trap;
  }
}

function replyFilter(line: Line): (chunk: Buffer) => boolean {
  let tail: Buffer = Buffer.alloc(0);
  return (chunk) => {
    const { dropping } = line;
    if (dropping?.drop === undefined) return !line.holding;
    tail = Buffer.concat([tail, chunk]).subarray(-64);
    if (!dropping.drop.endsReply(tail)) return true;
    line.dropping = undefined;
    if (dropping.drop.then === "cut") breakOff(line);
    else {
      line.holding = true;
      pause(line);
    }
    dropping.done();
    return false;
  };
}

function breakOff({ client, server }: Line): void {
  reset(client);
  reset(server);
}

/** Uses a reset if possible. A socket that is being ended or is not yet connected cannot be reset, and would leak. */
function reset(socket: Socket): void {
  if (socket.writableEnded || socket.connecting) socket.destroy();
  else socket.resetAndDestroy();
}

function pause({ client, server }: Line): void {
  client.pause();
  server.pause();
}

function resume({ client, server }: Line): void {
  client.resume();
  server.resume();
}
