// The life of a program: signals abort, resources close in reverse order, and a watchdog names what is still open.

import type { EventEmitter } from "node:events";
import { redactText } from "./redact-secrets.ts";
import { StartError } from "./start-error.ts";

export interface RunMainOptions {
  /** How long a program may take to end after the first signal. Default: 30 s. */
  readonly graceMs?: number;
  /** How long a program that honors `stopNow` may take to end after the second signal. Default: 0, it exits at once. */
  readonly stopNowMs?: number;
  /** How long the process may remain after everything is closed. Default: 2 s. */
  readonly lingerMs?: number;
  /**
   * A signal this soon after a counted one is a duplicate: a terminal and npm both deliver one Ctrl-C. Default: 1 s.
   */
  readonly echoMs?: number;
}

/**
 * Opens its resources on `stack`, works until `signal` aborts or the work is done, and returns. `stopNow` aborts at the
 * second signal: resources that are closed from then on no longer wait for running work.
 */
export type Main = (signal: AbortSignal, stack: AsyncDisposableStack, stopNow: AbortSignal) => Promise<void>;

const defaultGraceMs = 30_000;
const defaultLingerMs = 2_000;
const defaultEchoMs = 1_000;
const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type StopSignal = keyof typeof exitCodes;

/**
 * Runs `main` to its end. SIGTERM, SIGINT or SIGHUP aborts the signal (a drain, exit code 0), and so does an output
 * that has lost its reader. A second, deliberate signal aborts `stopNow`; a third exits at once. The resources on the
 * stack are closed in reverse order when `main` returns or throws. The process ends because nothing is left to run.
 * Otherwise the watchdog names on standard error what is open, and exits: with code 1, unless only timers are left.
 * ioredis leaves those of commands that it meant to repeat; nothing waits for them.
 */
export async function runMain(main: Main, options: RunMainOptions = {}): Promise<void> {
  const life: Life = { options, draining: new AbortController(), stopNow: new AbortController(), isClosed: false };
  const before = openResources();
  const startWatchdog = (afterMs: number): void => {
    setTimeout(() => giveUp(afterMs, before, life.isClosed), afterMs).unref();
  };
  listenForStops(life, startWatchdog);
  try {
    await using stack = new AsyncDisposableStack();
    await main(life.draining.signal, stack, life.stopNow.signal);
  } catch (error) {
    if (!isTheStop(error, life.draining.signal)) reportFailure(error);
  }
  life.isClosed = true;
  // The handlers stay: without them, a second Ctrl-C would kill the process with the signal's own exit code.
  startWatchdog(options.lingerMs ?? defaultLingerMs);
}

interface Life {
  readonly options: RunMainOptions;
  readonly draining: AbortController;
  readonly stopNow: AbortController;
  isClosed: boolean;
}

function listenForStops({ options, draining, stopNow }: Life, startWatchdog: (afterMs: number) => void): void {
  const drain = (reason: string): void => {
    if (draining.signal.aborted) return;
    startWatchdog(options.graceMs ?? defaultGraceMs);
    draining.abort(new Error(reason));
  };
  let countedAt: number | undefined;
  const onSignal = (name: StopSignal): void => {
    const now = performance.now();
    const isEcho = countedAt !== undefined && now - countedAt < (options.echoMs ?? defaultEchoMs);
    if (isEcho) return;
    countedAt = now;
    if (!draining.signal.aborted) return drain(`received ${name}`);
    const { stopNowMs = 0 } = options;
    if (stopNow.signal.aborted || stopNowMs === 0) process.exit(exitCodes[name]);
    process.exitCode = exitCodes[name];
    startWatchdog(stopNowMs);
    stopNow.abort(new Error(`received ${name} again`));
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal).on("SIGHUP", onSignal);
  // From scripts/end-with-parent.mjs: a signal that the parent program passes on, or the parent's end. However many
  // programs pass on one signal, the copies never count as a second.
  const events: EventEmitter = process;
  events.on("forwardedSignal", (name: string) => {
    countedAt ??= performance.now();
    drain(`received ${name}, forwarded`);
  });
  process.stdout.on("error", () => drain("the reader of the output has ended"));
  process.stderr.on("error", () => {});
}

/** Resolves when the signal aborts; at once if it already has. */
export async function waitForAbort(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  // A pending promise alone does not keep the process alive, and a program that only waits must not exit.
  const keepAlive = setInterval(() => {}, 1 << 30);
  await promise;
  clearInterval(keepAlive);
}

/** An error that only says that the program was stopped is not a failure. */
function isTheStop(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && (error === signal.reason || (error instanceof Error && error.name === "AbortError"));
}

function reportFailure(error: unknown): void {
  process.exitCode = 1;
  if (error instanceof StartError) process.stderr.write(`${error.message}\n`);
  else process.stderr.write(`${redactText(describe(error))}\n`);
}

function describe(error: unknown): string {
  if (error instanceof SuppressedError) {
    return `${describe(error.error)}\nwhile ending after: ${describe(error.suppressed)}`;
  }
  if (!(error instanceof Error)) return String(error);
  const text = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause === undefined ? text : `${text}\ncaused by: ${describe(error.cause)}`;
}

function giveUp(afterMs: number, before: ReadonlyMap<string, number>, isClosed: boolean): void {
  const left = [...openResources()].flatMap(([name, count]) => {
    const more = count - (before.get(name) ?? 0);
    return more > 0 ? [{ name, more }] : [];
  });
  const open = left.map(({ name, more }) => `${name} x ${more}`).join(", ") || "nothing known";
  process.stderr.write(`Not ended ${afterMs} ms after the stop. Still open: ${open}. Exiting.\n`);
  const isDone = isClosed && left.every(({ name }) => name === "Timeout");
  process.exit(isDone ? process.exitCode : 1);
}

/**
 * Returns the number of open resources by type, including the standard streams, which Node opens at their first use.
 */
function openResources(): Map<string, number> {
  void [process.stdout, process.stderr];
  const counts = new Map<string, number>();
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
