// Shows each step and its outcome to the user; with --verbose, also each call as they would type it, and its reply.

import { spawn } from "node:child_process";
import path from "node:path";
import type { Environment } from "@dari/runtime";

const isVerbose = process.argv.includes("--verbose");
const colour = process.stdout.isTTY;
const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function heading(text: string): void {
  say(`\n${paint(1, text)}`);
}

export function outcome(text: string): void {
  say(`  ${text}`);
}

/** Shows a call if the user asked for --verbose. */
export function command(text: string): void {
  if (isVerbose) say(paint(36, `$ ${text}`));
}

/** Shows the reply to a call if the user asked for --verbose. */
export function reply(value: unknown): void {
  if (isVerbose) say(JSON.stringify(value, null, 2));
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
 * Runs the real `dari` command and returns its output. Shows what it prints with --verbose, or if it fails.
 * @throws when it fails, or the reason of the signal
 */
export async function dari(args: readonly string[], options: CliOptions): Promise<string> {
  command(`dari ${args.join(" ")}`);
  const child = spawn(process.execPath, [cli, ...args], {
    cwd: options.cwd,
    env: { ...options.environment, DARI_API_URL: options.apiUrl, DARI_API_KEY: options.apiKey },
    stdio: ["pipe", "pipe", "pipe"],
    signal: options.signal,
  });
  child.stdin.end(options.input ?? "");
  let output = "";
  let printed = "";
  const print = (chunk: string): void => {
    printed += chunk;
    if (isVerbose) process.stdout.write(chunk);
  };
  child.stderr.setEncoding("utf8").on("data", print);
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
    print(chunk);
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
  if (code !== 0 && !isVerbose) process.stdout.write(printed);
  if (code !== 0) throw new Error(`dari ${args[0]} ended with exit code ${code}`);
  return output;
}
