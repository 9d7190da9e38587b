// Reads a program's stdout and stderr to their end, so that the program never blocks on them, and stores a limited
// amount.

import type { ScrubStream } from "@dari/domain";
import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { setImmediate as nextLook } from "node:timers/promises";

export type LogStream = "stdout" | "stderr";

const tailChars = 4_096;
const leaveWithinMs = 100;
const leaveBytesMax = 1024 ** 2;

export interface CapturedLogs {
  /** Resolves when both streams have ended. Never rejects. */
  readonly done: Promise<LogTotals>;
  /**
   * Ends the capture of a stopped program: reads everything that it has written. Later output is for the next capture,
   * as is output after 100 ms or 1 MiB more if the program is not stopped.
   */
  leave(): Promise<void>;
  /**
   * Shows what was held back of each stream because it could begin a secret. Call it after the end of the capture. 8
   * characters or more are replaced like a secret. `isCut`: the program was stopped before its end, so fewer stay
   * hidden.
   */
  showRest(options: { readonly isCut: boolean }): void;
  /**
   * Returns the last characters of a stream, whatever the limit. After the limit was reached, they are not scrubbed.
   */
  tail(stream: LogStream): string;
}

export interface LogTotals {
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly storedBytes: number;
  readonly truncated: boolean;
}

/**
 * `onText` gets whole characters, at most `maxBytes` of both streams together, and then one line that says so. It is
 * called synchronously and must not throw.
 */
export function captureLogs(o: {
  stdout: Readable;
  stderr: Readable;
  maxBytes: number;
  /** Applied to each stream's text before it is counted, so that the limit never cuts what is removed here. */
  scrub?(): ScrubStream;
  onText(stream: LogStream, text: string): void;
}): CapturedLogs {
  const tails: Record<LogStream, string> = { stdout: "", stderr: "" };
  const bytes: Record<LogStream, number> = { stdout: 0, stderr: 0 };
  let stored = 0;
  let truncated = false;

  function take(stream: LogStream, text: string): void {
    if (text === "") return;
    tails[stream] = (tails[stream] + text).slice(-tailChars);
    if (truncated) return;
    const kept = cutToBytes(text, o.maxBytes - stored);
    stored += Buffer.byteLength(kept);
    if (kept !== "") o.onText(stream, kept);
    if (kept.length === text.length) return;
    truncated = true;
    o.onText(stream, `\n[the log was cut here: it is longer than ${o.maxBytes} bytes]\n`);
  }

  function read(stream: LogStream, source: Readable): Reading {
    const decoder = new StringDecoder("utf8");
    const scrub = o.scrub?.();
    const shown = (text: string): string => (scrub === undefined || truncated ? text : scrub.write(text));
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const onData = (chunk: Buffer): void => {
      bytes[stream] += chunk.length;
      take(stream, shown(decoder.write(chunk)));
    };
    const end = (): void => {
      source.off("data", onData).off("close", end);
      take(stream, shown(decoder.end()));
      resolve();
    };
    source.on("data", onData);
    // An earlier capture may have paused it.
    source.resume();
    // A pipe breaks when its program dies. What was read counts.
    source.off("error", ignore).on("error", ignore);
    source.once("close", end);
    return { done, end: () => (source.pause(), end()), showRest: (options) => take(stream, scrub?.end(options) ?? "") };
  }

  const readings = [read("stdout", o.stdout), read("stderr", o.stderr)];
  const done = Promise.all(readings.map((one) => one.done)).then(() => ({
    stdoutBytes: bytes.stdout,
    stderrBytes: bytes.stderr,
    storedBytes: stored,
    truncated,
  }));
  return {
    done,
    async leave() {
      await readOut(() => bytes.stdout + bytes.stderr);
      for (const one of readings) one.end();
    },
    showRest(options) {
      for (const one of readings) one.showRest(options);
    },
    tail: (stream) => tails[stream],
  };
}

/** Resolves when no more bytes arrive, or they do not end. */
async function readOut(bytesRead: () => number): Promise<void> {
  const [from, deadline] = [bytesRead(), performance.now() + leaveWithinMs];
  for (let before = -1; before !== bytesRead();) {
    before = bytesRead();
    if (before - from > leaveBytesMax || performance.now() > deadline) return;
    // Between two of these, everything available has been read.
    await nextLook();
    await nextLook();
  }
}

interface Reading {
  readonly done: Promise<void>;
  end(): void;
  showRest: CapturedLogs["showRest"];
}

function ignore(): void {}

/** Returns the longest prefix that fits, cut between characters. */
function cutToBytes(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  let cut = Buffer.from(text).subarray(0, maxBytes).toString("utf8");
  while (cut.endsWith("\uFFFD") && !text.startsWith(cut)) cut = cut.slice(0, -1);
  return cut;
}
