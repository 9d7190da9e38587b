// Controls a running program through its debugger, so that the program needs no code for it.

import { waitUntil } from "@dari/testkit";
import type { Program } from "../../program.ts";

/** Evaluates an expression in the program and returns its value; undefined if the program does not answer in time. */
export async function evaluateIn(program: Program, expression: string, withinMs: number): Promise<unknown> {
  program.signal("SIGUSR1");
  const address = await waitUntil(() => /Debugger listening on (ws:\S+)/.exec(program.readLog())?.[1], {
    what: `the debugger of ${program.name}`,
  });
  const socket = new WebSocket(address);
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  socket.addEventListener("open", () => {
    const params = { expression, returnByValue: true };
    socket.send(JSON.stringify({ id: 1, method: "Runtime.evaluate", params }));
    setTimeout(() => resolve(undefined), withinMs);
  });
  socket.addEventListener("error", () => reject(new Error(`no debugger answers at ${address}`)), { once: true });
  socket.addEventListener("message", ({ data }) => {
    const reply = JSON.parse(String(data)) as { id?: number; result?: { result?: { value?: unknown } } };
    if (reply.id === 1) resolve(reply.result?.result?.value);
  });
  try {
    return await promise;
  } finally {
    // Pending data is sent before the connection closes.
    socket.close();
  }
}

/** Blocks the event loop without using the processor. */
export async function blockLoop(program: Program, ms: number): Promise<void> {
  const wait = `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${Math.round(ms)})`;
  await evaluateIn(program, wait, 50);
}

/** Moves the program's wall clock but not the monotonic one, as when a machine's clock is set. */
export async function stepClock(program: Program, byMs: number): Promise<number | undefined> {
  const value = await evaluateIn(program, `(${stepExpression})(${byMs})`, 10_000);
  return typeof value === "number" ? value : undefined;
}

const stepExpression = `(by) => {
  const True = (globalThis.__trueDate ??= Date);
  globalThis.Date = class Date extends True {
    constructor(...args) {
      if (args.length === 0) super(True.now() + by);
      else super(...args);
    }
    static now() {
      return True.now() + by;
    }
    static [Symbol.hasInstance](value) {
      return True[Symbol.hasInstance].call(True, value);
    }
  };
  return Date.now() - True.now();
}`;
