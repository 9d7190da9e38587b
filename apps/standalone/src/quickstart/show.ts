// Shows each step to the user: the call as they would type it, and the real reply.

import { spawn } from "node:child_process";
import path from "node:path";
import type { Environment } from "@dari/runtime";

const colour = process.stdout.isTTY;
const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function heading(text: string): void {
  say(`\n${paint(1, text)}`);
}

export function command(text: string): void {
  say(paint(36, `$ ${text}`));
}

export function reply(value: unknown): void {
  say(JSON.stringify(value, null, 2));
}

const cli = path.resolve(import.meta.dirname, "../../../cli/bin/dari.mjs");

export interface CliOptions {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly cwd: string;
  /** The command's environment, in addition to the API's address. */
  readonly environment: Environment;
  readonly input?: string;
  /** Ends the command. */
  readonly signal: AbortSignal;
}

/**
 * Runs the real `dari` command in front of the user and returns its output.
 * @throws when it fails, or the reason of the signal
 */
export async function dari(args: readonly string[], options: CliOptions): Promise<string> {
  command(`dari ${args.join(" ")}`);
  const child = spawn(process.execPath, [cli, ...args], {
    cwd: options.cwd,
    env: { ...options.environment, DARI_API_URL: options.apiUrl, DARI_API_KEY: options.apiKey },
    stdio: ["pipe", "pipe", "inherit"],
    signal: options.signal,
  });
  child.stdin.end(options.input ?? "");
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    process.stdout.write(chunk);
  });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.on("error", reject);
  child.on("close", (code) => resolve(code ?? 1));
  const code = await promise.catch((error: unknown) => {
    options.signal.throwIfAborted();
    throw error;
  });
  // In a terminal, Ctrl-C ends the command before this process.
  options.signal.throwIfAborted();
  if (code !== 0) throw new Error(`dari ${args[0]} ended with exit code ${code}`);
  return output;
}
