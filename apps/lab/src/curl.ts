// Calls with this machine's curl, and the `dari` command as a process: what a user types.

import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { join } from "node:path";
import { routes, validate, type RouteName, type Route } from "@dari/contract";
import { machineEnvironment } from "./config.ts";
import { checkout } from "./program.ts";

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Runs curl with these arguments. Throws if it cannot connect. */
export async function curl(...args: readonly string[]): Promise<Answer> {
  const { code, stdout, stderr } = await run("curl", ["-sS", "-w", "\n%{http_code}", ...args], {});
  if (code !== 0) throw new Error(`curl ended with ${code}: ${stderr}`);
  const end = stdout.lastIndexOf("\n");
  return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) };
}

/** Returns the reply of a route after checking its schema and status. */
export function replyOf<T>(name: RouteName, { status, body }: Answer): T {
  const route: Route = routes[name];
  if (status !== route.status) throw new Error(`${name} answered ${status}: ${body}`);
  const reply: unknown = JSON.parse(body);
  const issues = route.reply === undefined ? [] : validate(route.reply, reply);
  if (issues.length > 0) throw new Error(`${name} answered something else: ${JSON.stringify(issues)}\n${body}`);
  return reply as T;
}

export interface CliOptions {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly cwd: string;
  readonly input?: string;
}

/** Runs `dari` and returns its output. Throws with its message if it fails. */
export async function dari(args: readonly string[], options: CliOptions): Promise<string> {
  const { code, stdout, stderr } = await runDari(args, options);
  if (code !== 0) throw new Error(`dari ${args.join(" ")} ended with ${code}:\n${stderr}`);
  return stdout;
}

/** Runs `dari` to its end, whatever its exit code. */
export function runDari(args: readonly string[], { apiUrl, apiKey, cwd, input }: CliOptions): Promise<ProgramOutput> {
  const command = [...dariCommand, ...args];
  const env = { DARI_API_URL: apiUrl, DARI_API_KEY: apiKey, DARI_CONFIG_DIR: join(cwd, ".config") };
  return run(process.execPath, command, { cwd, env, ...(input && { input }) });
}

/** Node's arguments to run `dari`. */
export const dariCommand = ["--disable-warning=ExperimentalWarning", join(checkout, "apps/cli/bin/dari.mjs")] as const;

export interface ProgramOutput {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program of this machine to its end, with `env` added to the machine's own. */
export async function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>>; readonly input?: string },
): Promise<ProgramOutput> {
  const child = spawn(command, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...machineEnvironment(), ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const { promise: ended, resolve, reject } = Promise.withResolvers<number | null>();
  child.once("error", reject);
  child.once("close", resolve);
  child.stdin.end(options.input ?? "");
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}
