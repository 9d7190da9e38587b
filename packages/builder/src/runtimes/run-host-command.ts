// Runs a trusted program of this machine (an interpreter's probe, npm) outside of any sandbox and returns its output.

import { execFile, type ExecFileException } from "node:child_process";
import { basename } from "node:path";

const outputBytesMax = 1024 * 1024;

export class HostCommandError extends Error {
  override readonly name = "HostCommandError";
}

/** Returns whether the program was killed at its `timeoutMs`. Node sets `killed` only for that. */
export function hasTimedOut(error: unknown): boolean {
  return error instanceof HostCommandError && (error.cause as { killed?: boolean } | undefined)?.killed === true;
}

/**
 * Runs `command` and returns its stdout, at most 1 MiB. Its whole environment is `env`. Kills it after `timeoutMs` and
 * on abort.
 * @throws HostCommandError with the last five lines of stderr, or of stdout if stderr is empty.
 */
export function runHostCommand(
  command: string,
  args: readonly string[],
  options: { env: Readonly<Record<string, string>>; timeoutMs: number; signal?: AbortSignal; cwd?: string },
): Promise<string> {
  const { env, timeoutMs, signal, cwd } = options;
  return new Promise((resolve, reject) => {
    const settings = { env: { ...env }, timeout: timeoutMs, maxBuffer: outputBytesMax, killSignal: "SIGKILL" as const };
    const extra = { ...(signal === undefined ? {} : { signal }), ...(cwd === undefined ? {} : { cwd }) };
    const child = execFile(command, args, { ...settings, ...extra }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const lastLines = (stderr.trim() || stdout.trim()).split("\n").slice(-5).join("\n");
      reject(new HostCommandError(describe(command, error, lastLines, timeoutMs), { cause: error }));
    });
    child.stdin?.end();
  });
}

function describe(command: string, error: ExecFileException, lastLines: string, timeoutMs: number): string {
  // The paths of this machine do not help an agent's author.
  const program = `\`${basename(command)}\``;
  if (error.killed === true) {
    const ending = `${program} did not end within its time limit (${timeoutMs / 1_000} s)`;
    return lastLines === "" ? ending : `${ending}: ${lastLines}`;
  }
  if (error.code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") {
    return `${program} failed: it printed more than ${outputBytesMax} bytes`;
  }
  return `${program} failed: ${lastLines || describeExit(error)}`;
}

/** Node's own message of a program that ended has its whole command line. */
function describeExit(error: ExecFileException): string {
  if (typeof error.code === "number") return `exit code ${error.code}`;
  return typeof error.signal === "string" ? `killed by ${error.signal}` : error.message;
}
