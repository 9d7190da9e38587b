// Directories and the environment of this machine, for the builder's tests.

import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeTree } from "@dari/native";

export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A directory below the system's temporary one, removed by `await using`. */
export async function temporaryDirectory(): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), "dari-builder-"));
  return { path, [Symbol.asyncDispose]: () => removeTree(path) };
}

/** Returns this process's environment without unset variables, as a worker's configuration has it. */
export function hostEnvironment(): Record<string, string> {
  const isSet = (entry: [string, string | undefined]): entry is [string, string] => entry[1] !== undefined;
  return Object.fromEntries(Object.entries(process.env).filter(isSet));
}
