// Finds npm's own program. It is started by the chosen Node, never through a wrapper or a shim.

import { access, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runHostCommand } from "./run-host-command.ts";

export interface Npm {
  /** npm-cli.js, absolute. */
  readonly cli: string;
  /** The package's directory, which a sandbox must see. */
  readonly root: string;
}

/**
 * Looks beside the running Node, then along PATH of `env`. npm's platform packages of Node do not contain npm.
 * @returns undefined if this machine has none.
 */
export async function findNpm(env: Readonly<Record<string, string>>): Promise<Npm | undefined> {
  const beside = join(dirname(process.execPath), "../lib/node_modules/npm");
  const found = await npmAt(beside);
  if (found !== undefined) return found;
  for (const dir of (env.PATH ?? "").split(":").filter((entry) => entry.startsWith("/"))) {
    const npm = await npmFromCommand(join(dir, "npm"), env);
    if (npm !== undefined) return npm;
  }
  return undefined;
}

async function npmAt(root: string): Promise<Npm | undefined> {
  const cli = join(root, "bin/npm-cli.js");
  return access(cli).then(
    () => ({ cli, root }),
    () => undefined,
  );
}

async function npmFromCommand(command: string, env: Readonly<Record<string, string>>): Promise<Npm | undefined> {
  const real = await realpath(command).catch(() => undefined);
  if (real === undefined) return undefined;
  if (real.endsWith("/bin/npm-cli.js")) return npmAt(dirname(dirname(real)));
  const beside = await npmAt(join(dirname(real), "../lib/node_modules/npm"));
  if (beside !== undefined) return beside;
  const globalRoot = await runHostCommand(command, ["root", "--global"], { env, timeoutMs: 10_000 }).catch(() => "");
  return globalRoot.trim() === "" ? undefined : npmAt(join(globalRoot.trim(), "npm"));
}
