// An installer: a program, its arguments, and the files of the bundle that it reads.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Registries } from "../registries/registry-rules.ts";
import type { Npm } from "../runtimes/find-npm.ts";

/** What installers get from the worker. */
export interface InstallTools {
  readonly npm: Npm | undefined;
  /** Proxy, certificate, npm and pip variables. None may be secret. */
  readonly env: Readonly<Record<string, string>>;
  /** Directories that `env` refers to: certificates, local wheels. */
  readonly readOnlyPaths: readonly string[];
  readonly registries: Registries;
}

export interface Installer {
  /** For the log and errors, such as `npm ci`. */
  readonly name: string;
  readonly argv: readonly string[];
  /** The part of `argv` that is the same on every machine. */
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly readOnlyPaths: readonly string[];
  readonly warnings: readonly string[];
  /** Files with times in them that it leaves. They are removed so that equal bundles give equal layers. */
  readonly leftovers: readonly string[];
  /** Paths of the bundle that it reads; a trailing slash means a folder. `undefined`: all of them. */
  readonly reads: readonly string[] | undefined;
  /** Files that it gets with another content. */
  readonly replaced?: Readonly<Record<string, string>>;
  /** Whether a lockfile pins all versions. */
  readonly locked: boolean;
  /** Packages whose versions the bundle pins, by normalized name, if there should be a warning about others. */
  readonly pins?: ReadonlySet<string>;
  /** A program that prints its own registry's address, if that can differ from npm's. */
  readonly asksRegistry?: readonly string[];
}

/** Where pip installs packages, relative to the image's root. The guest adds it to `sys.path`. */
export const pythonDependencyDir = ".deps";

/** Returns the text of a file of the bundle, or undefined if it does not exist. */
export async function readOptional(root: string, name: string): Promise<string | undefined> {
  try {
    return await readFile(join(root, name), "utf8");
  } catch {
    return undefined;
  }
}
