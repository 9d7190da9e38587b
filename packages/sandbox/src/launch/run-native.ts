// Runs a native program for one task.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { nativeCommand, type NativeProgram } from "@dari/native";
import { tryTimeoutMs } from "./find-programs.ts";

const run = promisify(execFile);

/** Time limit of a sweep, in milliseconds: longer than the program's own time limit. */
const sweepWithinMs = 60_000;
/** Time limit of a change of owners, in milliseconds: enough for the largest workspace on a slow disk. */
const changeOwnerWithinMs = 10 * 60_000;

/**
 * Runs a native program and returns its output. @throws with the output if it fails or takes too long (default: 10 s)
 */
export async function runNative(
  name: NativeProgram,
  args: readonly string[],
  withinMs = tryTimeoutMs,
): Promise<string> {
  const [file, ...first] = nativeCommand(name);
  return (await run(file, [...first, ...args], { env: {}, timeout: withinMs, killSignal: "SIGKILL" })).stdout.trim();
}

/** Gives directories with their contents to the user. Follows no links, even if an agent adds one at the same time. */
export async function changeOwner(user: number, dirs: readonly string[]): Promise<void> {
  await runNative("own", [String(user), ...dirs], changeOwnerWithinMs);
}

/** Resolves when no process of the user is alive. @throws if some cannot be killed */
export async function killProcessesOfUser(user: number): Promise<void> {
  await runNative("confine", ["sweep", String(user)], sweepWithinMs);
}
