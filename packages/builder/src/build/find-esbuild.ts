// Finds esbuild on this machine: its module, and its program for this system.

import { realpath } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname } from "node:path";

export interface Esbuild {
  readonly main: string;
  readonly binary: string;
  readonly version: string;
  readonly readOnlyPaths: readonly string[];
}

/** @throws if it is not installed. */
export async function findEsbuild(): Promise<Esbuild> {
  const main = await realpath(createRequire(import.meta.url).resolve("esbuild"));
  const binaryPackage = `@esbuild/${process.platform}-${process.arch}`;
  const binary = await realpath(createRequire(main).resolve(`${binaryPackage}/bin/esbuild`));
  const { version } = createRequire(main)("../package.json") as { version: string };
  return { main, binary, version, readOnlyPaths: [dirname(dirname(main)), dirname(binary)] };
}
