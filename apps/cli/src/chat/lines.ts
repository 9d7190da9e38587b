// Reads a person's lines, from a terminal with editing and history, or from a pipe. Knows no chat.
// In a terminal the prompt stays at the bottom while text is shown above it.

import { createInterface, type Interface } from "node:readline";
import type { Io } from "../context.ts";
import { createEcho, createPrompt, type Prompt } from "./prompt.ts";

export interface Lines extends Disposable {
  readonly isTerminal: boolean;
  /** Resolves with the next line; undefined at the end of the input. */
  next(prompt: string): Promise<string | undefined>;
  /** Resolves with the line that answers this prompt. Lines that were entered before it stay for `next`. */
  ask(prompt: string): Promise<string | undefined>;
  /** Ends an `ask` that waits: it resolves with undefined. */
  dismiss(): void;
  /** Shows text that is empty or ends with a line end, and replaces the rows that stay between it and the prompt. */
  show(text: string, rows: string): void;
  /** Ends the input: `next` resolves with undefined. */
  close(): void;
}

interface Waiter {
  readonly prompt: string;
  readonly resolve: (line: string | undefined) => void;
}

interface Question extends Waiter {
  /** What was typed of a line when the question came. It is typed again after the answer. */
  readonly typed: string;
}

/** `onInterrupt` is called for Ctrl-C in a terminal. */
export function openLines(io: Io, onInterrupt: () => void): Lines {
  const { stdin, stdout: out, signal } = io;
  const isTerminal = stdin.isTTY && out.isTTY === true;
  const echo = createEcho(out);
  const reader = createInterface({ input: stdin, output: isTerminal ? echo.stream : undefined, terminal: isTerminal });
  const prompt = createPrompt(reader, out, echo);
  /** Shows text, and below it the prompt of what waits for a line. */
  const draw = (text = ""): void => {
    if (isTerminal) prompt.draw(text, waiters.prompt);
    else out.write(text);
  };
  const waiters = createWaiters(reader, prompt, draw);
  reader.on("line", (line) => {
    prompt.entered();
    waiters.enter(line);
  });
  reader.on("SIGINT", onInterrupt);
  reader.on("close", () => waiters.close());
  const close = (): void => reader.close();
  signal.addEventListener("abort", close, { once: true });
  return {
    isTerminal,
    next(text) {
      const entered = waiters.takeEntered();
      if (entered === undefined) return waiters.next(text);
      if (isTerminal) draw(`${text}${entered}\n`);
      return Promise.resolve(entered);
    },
    ask: waiters.ask,
    dismiss: waiters.dismiss,
    show(text, rows) {
      prompt.rows = rows;
      draw(text);
    },
    close,
    [Symbol.dispose]() {
      signal.removeEventListener("abort", close);
      prompt[Symbol.dispose]();
      close();
    },
  };
}

/** What waits for a line: a question comes before `next`. */
function createWaiters(reader: Interface, prompt: Prompt, draw: () => void) {
  const entered: string[] = [];
  let isClosed = false;
  let next: Waiter | undefined;
  let question: Question | undefined;
  const answerNext = (line: string | undefined): void => {
    const waiter = next;
    next = undefined;
    waiter?.resolve(line);
  };
  const answerQuestion = (line: string | undefined): void => {
    if (question === undefined) return;
    const { resolve, typed } = question;
    question = undefined;
    if (typed !== "" && !isClosed) reader.write(typed);
    draw();
    resolve(line);
  };
  return {
    get prompt() {
      return isClosed ? undefined : (question ?? next)?.prompt;
    },
    enter(line: string): void {
      if (question !== undefined) answerQuestion(line);
      else if (next !== undefined) answerNext(line);
      else entered.push(line);
    },
    /** Returns a line that was entered before anything waited for it. */
    takeEntered: () => entered.shift(),
    next(text: string): Promise<string | undefined> {
      if (isClosed) return Promise.resolve(undefined);
      return new Promise((resolve) => {
        next = { prompt: text, resolve };
        draw();
      });
    },
    ask(text: string): Promise<string | undefined> {
      if (isClosed) return Promise.resolve(undefined);
      return new Promise((resolve) => {
        question = { prompt: text, resolve, typed: prompt.clearTyped() };
        draw();
      });
    },
    dismiss(): void {
      if (question === undefined) return;
      // What was typed of the answer is no message.
      prompt.clearTyped();
      answerQuestion(undefined);
    },
    close(): void {
      isClosed = true;
      draw();
      answerQuestion(undefined);
      answerNext(undefined);
    },
  };
}
