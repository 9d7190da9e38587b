// Reads a secret without showing it: from a terminal without echo, or from standard input on request.

import { createInterface } from "node:readline/promises";
import { text } from "node:stream/consumers";
import { Writable } from "node:stream";
import type { Io } from "./context.ts";
import { invalid } from "./exit.ts";

/**
 * Reads a secret. Removes one line end at the end of standard input, because `echo` adds one.
 * @throws CliError (exit code 2) if there is neither a terminal nor `fromStdin`, or nothing was entered.
 */
export async function readSecret(io: Io, prompt: string, fromStdin: boolean): Promise<string> {
  if (!fromStdin && !io.stdin.isTTY) {
    throw invalid("standard input is not a terminal; pipe the value in and pass --value-stdin");
  }
  const value = fromStdin ? (await text(io.stdin)).replace(/\r?\n$/, "") : await ask(io, prompt);
  if (value === "") throw invalid("the value is empty");
  return value;
}

async function ask(io: Io, prompt: string): Promise<string> {
  // readline echoes the input to its output stream, so this one discards everything.
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: io.stdin, output: silence, terminal: true });
  io.stderr.write(prompt);
  try {
    return await reader.question("", { signal: io.signal });
  } finally {
    reader.close();
    io.stderr.write("\n");
  }
}
