// Reads a person's lines, from a terminal with editing and history, or from a pipe. Knows no chat.

import { clearLine, createInterface, cursorTo, type Interface } from "node:readline";
import { Writable } from "node:stream";
import type { Io } from "../context.ts";

export interface Lines extends Disposable {
  readonly isTerminal: boolean;
  /** Resolves with the next line; undefined at the end of the input. */
  next(prompt: string): Promise<string | undefined>;
  /** Resolves with the line that answers this prompt. Lines that were entered before it stay for `next`. */
  ask(prompt: string): Promise<string | undefined>;
  /** Ends an `ask` that waits: it resolves with undefined. */
  dismiss(): void;
  /** Shows text above the prompt, if there is one now. */
  above(text: string): void;
  /** Ends the input: `next` resolves with undefined. */
  close(): void;
}

/** `onInterrupt` is called for Ctrl-C in a terminal. */
export function openLines(io: Io, onInterrupt: () => void): Lines {
  const { stdin, stdout, stderr, signal } = io;
  const isTerminal = stdin.isTTY && stderr.isTTY === true;
  const out = stdout.isTTY === true ? stdout : stderr;
  let isPrompting = false;
  let isAsking = false;
  const echo = createEcho(out, () => isPrompting);
  const reader = createInterface({ input: stdin, output: isTerminal ? echo : undefined, terminal: isTerminal });
  const queue: string[] = [];
  let isClosed = false;
  let waiting: ((line: string | undefined) => void) | undefined;
  const settle = (line: string | undefined): void => {
    isPrompting = false;
    isAsking = false;
    const resolve = waiting;
    waiting = undefined;
    resolve?.(line);
  };
  reader.on("line", (line) => (waiting === undefined ? void queue.push(line) : settle(line)));
  reader.on("SIGINT", onInterrupt);
  reader.on("close", () => {
    isClosed = true;
    settle(undefined);
  });
  const close = (): void => reader.close();
  const prompted = (prompt: string): Promise<string | undefined> => {
    if (isClosed) return Promise.resolve(undefined);
    isPrompting = true;
    if (isTerminal) showPrompt(reader, prompt);
    return new Promise((resolve) => (waiting = resolve));
  };
  signal.addEventListener("abort", close, { once: true });

  return {
    isTerminal,
    next(prompt) {
      const line = queue.shift();
      return line === undefined ? prompted(prompt) : Promise.resolve(line);
    },
    ask(prompt) {
      isAsking = !isClosed;
      return prompted(prompt);
    },
    dismiss() {
      if (!isAsking) return;
      settle(undefined);
      out.write("\n");
      // What was typed of the answer is no message.
      reader.write(null, { ctrl: true, name: "e" });
      reader.write(null, { ctrl: true, name: "u" });
    },
    above(text) {
      if (!isPrompting || !isTerminal) {
        out.write(text);
        return;
      }
      clearLine(out, 0);
      cursorTo(out, 0);
      out.write(text);
      reader.prompt(true);
    },
    close,
    [Symbol.dispose]() {
      signal.removeEventListener("abort", close);
      close();
    },
  };
}

/** What is typed during a turn is kept for the next prompt, and not shown within the answer. */
function createEcho(out: Writable, isPrompting: () => boolean): Writable {
  const echo = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      if (isPrompting()) out.write(chunk);
      done();
    },
  });
  return Object.defineProperty(echo, "columns", { get: () => (out as { columns?: number }).columns });
}

/** Keeps what was typed before the prompt. */
function showPrompt(reader: Interface, prompt: string): void {
  reader.setPrompt(prompt);
  reader.prompt(reader.line !== "");
}
