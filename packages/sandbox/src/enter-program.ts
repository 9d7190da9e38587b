// The little program that is first in a sandbox: hands listening sockets to this process, sets limits and becomes the
// program. C where a compiler works, else Python.

import { join } from "node:path";
import { compiledProgram, nativeDir } from "./compiled-program.ts";
import { findProgram, succeeds } from "./programs.ts";

export interface EnterProgram {
  /** Whether it can become another user. */
  readonly canSwitchUser: boolean;
  /** Comes before the number of the descriptor on which it is told what to become. */
  readonly argv: readonly string[];
  /** Host path → path inside, read-only. */
  readonly binds: readonly (readonly [string, string])[];
}

let found: Promise<EnterProgram | undefined> | undefined;

/** The fastest of this machine; undefined where it has neither a C compiler nor Python 3.9. */
export function findEnterProgram(): Promise<EnterProgram | undefined> {
  return (found ??= compiledEnter().then((compiled) => compiled ?? pythonEnter()));
}

export async function compiledEnter(): Promise<EnterProgram | undefined> {
  const binary = await compiledProgram("enter");
  if (binary === undefined) return undefined;
  return { canSwitchUser: true, argv: ["/.sandbox/enter"], binds: [[binary, "/.sandbox/enter"]] };
}

export async function pythonEnter(): Promise<EnterProgram | undefined> {
  const python = await findProgram("python3");
  if (python === undefined) return undefined;
  const knowsHow = [python, "-I", "-S", "-c", "import resource, socket; socket.send_fds"];
  if (!(await succeeds(knowsHow))) return undefined;
  return {
    canSwitchUser: false,
    argv: [python, "-I", "-S", "/.sandbox/enter.py"],
    binds: [[join(nativeDir, "enter.py"), "/.sandbox/enter.py"]],
  };
}

/**
 * Returns the input of `enter`: loopback ports to listen on, limits as `limit=number`, the user that it becomes
 * (default: it keeps its user), and the program.
 */
export function enterWords(o: {
  ports: readonly number[];
  limits: readonly string[];
  user?: string | undefined;
  argv: readonly string[];
}): string {
  return [o.ports.join(","), o.limits.join(","), o.user ?? "", ...o.argv].map((word) => `${word}\0`).join("");
}
