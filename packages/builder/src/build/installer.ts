// What an installer is: a program, its arguments, and what of the bundle it reads.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Registries } from "../registries/registry-rules.ts";
import type { Npm } from "../runtimes/npm.ts";

/** What the worker lends to installers. */
export interface InstallTools {
  readonly npm: Npm | undefined;
  /** Proxy, certificate, npm and pip variables; nothing that is secret. */
  readonly env: Readonly<Record<string, string>>;
  /** Directories that `env` speaks of: certificates, local wheels. */
  readonly readOnlyPaths: readonly string[];
  readonly registries: Registries;
}

export interface Installer {
  /** For the log and the failure, as in `npm ci`. */
  readonly name: string;
  readonly argv: readonly string[];
  /** The part of `argv` that is the same on every machine. */
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly readOnlyPaths: readonly string[];
  readonly warnings: readonly string[];
  /** Files that it leaves with times in them: without them equal bundles give equal layers. */
  readonly leftovers: readonly string[];
  /** Paths of the bundle that it reads; a name with a trailing slash is a folder. `undefined`: all of them. */
  readonly reads: readonly string[] | undefined;
  /** Whether a lockfile decides each version. */
  readonly locked: boolean;
  /** Packages whose versions the bundle pins, where the others are to be warned of; by their normalized names. */
  readonly pins?: ReadonlySet<string>;
  /** A program that prints the address of the registry that it uses by itself, where that need not be npm's. */
  readonly asksRegistry?: readonly string[];
}

/** Where pip puts packages, relative to the image's root; the guest adds it to `sys.path`. */
export const pythonDependencyDir = ".deps";

/** The text of a file of the bundle, or undefined where there is none. */
export async function readOptional(root: string, name: string): Promise<string | undefined> {
  try {
    return await readFile(join(root, name), "utf8");
  } catch {
    return undefined;
  }
}
