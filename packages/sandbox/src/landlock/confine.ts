// Runs the small programs of native/ for one task.

import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Its output. @throws when it fails; the message holds what it said. */
export async function ask(program: string, args: readonly string[]): Promise<string> {
  return (await run(program, args, { env: {} })).stdout.trim();
}

/** Gives directories and all that is in them to the user. Links are not followed, whoever works in there meanwhile. */
export async function giveTo(user: number, own: string, dirs: readonly string[]): Promise<void> {
  await ask(own, [String(user), ...dirs]);
}

/** Resolves when no process of the user is alive. @throws when some cannot be killed. */
export async function sweep(confine: string, user: number): Promise<void> {
  await ask(confine, ["sweep", String(user)]);
}
