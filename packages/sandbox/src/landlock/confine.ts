// Runs native programs for one task.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { nativeCommand, type NativeProgram } from "@dari/native";
import { tryTimeoutMs } from "../programs.ts";

const run = promisify(execFile);

/** Longer than it tries by itself. */
const sweepWithinMs = 60_000;
/** Enough time for the most files of a workspace on a slow disk. Milliseconds. */
const giveWithinMs = 10 * 60_000;

/** Its output. @throws when it fails or does not end in time, 10 s by default; the message holds what it said. */
export async function ask(name: NativeProgram, args: readonly string[], withinMs = tryTimeoutMs): Promise<string> {
  const [file, ...first] = nativeCommand(name);
  return (await run(file, [...first, ...args], { env: {}, timeout: withinMs, killSignal: "SIGKILL" })).stdout.trim();
}

/** Gives directories with their contents to the user. It follows no links, even if somebody adds one meanwhile. */
export async function giveTo(user: number, dirs: readonly string[]): Promise<void> {
  await ask("own", [String(user), ...dirs], giveWithinMs);
}

/** Resolves when no process of the user is alive. @throws when some cannot be killed. */
export async function sweep(user: number): Promise<void> {
  await ask("confine", ["sweep", String(user)], sweepWithinMs);
}
