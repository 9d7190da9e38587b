// Runs a trusted program of this machine (an interpreter's probe, npm) outside of any sandbox and returns its output.

import { execFile } from "node:child_process";

const outputBytesMax = 1024 * 1024;

export class HostCommandError extends Error {
  override readonly name = "HostCommandError";
}

/** Returns whether a program was killed because its time was over. */
export function isOutOfTime(error: unknown): boolean {
  return error instanceof HostCommandError && (error.cause as { killed?: boolean } | undefined)?.killed === true;
}

/**
 * Runs `command` with exactly `env`. Kills the process after `timeoutMs` and on abort.
 * @throws HostCommandError with the last lines of its output.
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
      reject(new HostCommandError(lastLines || `${command} could not be run`, { cause: error }));
    });
    child.stdin?.end();
  });
}
