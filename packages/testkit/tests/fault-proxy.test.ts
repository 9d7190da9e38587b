// The fault proxy between real sockets: what it passes, holds, breaks and loses.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { endsPostgresReply, startFaultProxy, waitUntil, type FaultProxy } from "@dari/testkit";

let server: Server;
let proxy: FaultProxy;
let stack: AsyncDisposableStack;

/** A server that answers each piece with `echo <piece>`. */
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (data: Buffer) => socket.write(`echo ${data.toString()}`));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stack.defer(() => void server.close());
  proxy = stack.use(await startFaultProxy({ port: (server.address() as AddressInfo).port }));
});

afterEach(() => stack.disposeAsync());

interface Caller {
  readonly socket: Socket;
  readonly heard: () => string;
}

async function call(): Promise<Caller> {
  const socket = connect({ port: proxy.port, host: "127.0.0.1" });
  let heard = "";
  socket.on("data", (data: Buffer) => (heard += data.toString()));
  socket.on("error", () => undefined);
  stack.defer(() => void socket.destroy());
  await once(socket, "connect");
  return { socket, heard: () => heard };
}

const hears = (caller: Caller, text: string): Promise<unknown> =>
  waitUntil(() => caller.heard().includes(text), { what: text });
const closes = (caller: Caller): Promise<unknown> => waitUntil(() => caller.socket.destroyed, { what: "the end" });

describe("a fault proxy", () => {
  test("passes everything on", async () => {
    const caller = await call();
    caller.socket.write("one");
    await hears(caller, "echo one");
  });

  test("holds old and new connections, and lets the held data through", async () => {
    const old = await call();
    old.socket.write("one");
    await hears(old, "echo one");
    proxy.blackHole();
    const fresh = await call();
    old.socket.write("two");
    fresh.socket.write("three");
    proxy.forward();
    await Promise.all([hears(old, "echo two"), hears(fresh, "echo three")]);
    expect(old.heard()).toBe("echo oneecho two");
  });

  test("keeps the order of what it delays, also when the delay ends", async () => {
    const caller = await call();
    caller.socket.setNoDelay(true);
    proxy.delay(60);
    caller.socket.write("late");
    await hears(caller, "echo late");
    proxy.delay(0);
    caller.socket.write("soon");
    await hears(caller, "echo lateecho soon");
  });

  test("cuts open connections and accepts new ones; refuses connections until `forward`", async () => {
    const first = await call();
    first.socket.write("one");
    await hears(first, "echo one");
    proxy.cut();
    await closes(first);
    const second = await call();
    second.socket.write("two");
    await hears(second, "echo two");
    proxy.refuse();
    await closes(second);
    const refused = connect({ port: proxy.port, host: "127.0.0.1" });
    await expect(once(refused, "data")).rejects.toMatchObject({ code: "ECONNRESET" });
    proxy.forward();
    const third = await call();
    third.socket.write("three");
    await hears(third, "echo three");
  });

  test("loses one reply: the request arrives, the answer does not", async () => {
    const caller = await call();
    const lost = proxy.dropReply({ request: "commit", endsReply: () => true, then: "cut" });
    caller.socket.write("begin");
    await hears(caller, "echo begin");
    caller.socket.write("commit");
    await lost;
    await closes(caller);
    expect(caller.heard()).toBe("echo begin");
  });

  test("or leaves its callers waiting", async () => {
    const caller = await call();
    const lost = proxy.dropReply({ request: "commit", endsReply: () => true, then: "hold" });
    caller.socket.write("commit");
    await lost;
    proxy.forward();
    expect([caller.socket.destroyed, caller.heard()]).toEqual([false, ""]);
  });

  test("resolves when a text was sent, and stops waiting on request", async () => {
    const heard = proxy.hears("word");
    (await call()).socket.write("a word");
    await heard;
    const aborted = AbortSignal.abort(new Error("enough"));
    await expect(proxy.hears("other", aborted)).rejects.toThrow("enough");
  });

  test("knows the end of a Postgres reply outside a transaction", () => {
    const ready = (state: string): Buffer => Buffer.from([0x5a, 0, 0, 0, 5, state.charCodeAt(0)]);
    expect(endsPostgresReply(Buffer.concat([Buffer.from("rows"), ready("I")]))).toBe(true);
    expect(endsPostgresReply(ready("T"))).toBe(false);
  });
});
