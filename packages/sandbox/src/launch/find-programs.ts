// Finds and tests the system programs that drivers start.

import { spawn } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { join } from "node:path";

const searchPath = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];
/** A test that takes longer than this has failed, in milliseconds. */
export const tryTimeoutMs = 10_000;

/** Returns the absolute path of a program in the system's usual directories. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const dir of searchPath) {
    const path = join(dir, name);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Runs a command to its end, by default with an empty environment. Returns whether it exits with 0. */
export function exitsSuccessfully(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { env, stdio: "ignore", timeout: tryTimeoutMs, killSignal: "SIGKILL" } as const;
    const child = spawn(argv[0]!, argv.slice(1), options);
    child.once("error", () => resolve(false));
    child.once("exit", (code) => resolve(code === 0));
  });
}
