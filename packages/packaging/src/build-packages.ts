// Builds every package into a directory, with a list of them.

import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { buildCommand } from "./build-command.ts";
import { buildLibrary } from "./build-library.ts";
import { buildWheel } from "./build-wheel.ts";
import { packages, type PackageFile, type PackageSource } from "./packages.ts";

/** One row of `index.json`, which the API reads. */
export interface BuiltPackage {
  /** Name in its registry, for example `@dari/cli`. */
  readonly name: string;
  readonly version: string;
  readonly file: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

const builders: Readonly<Record<PackageSource["kind"], (folder: string) => Promise<PackageFile>>> = {
  command: buildCommand,
  library: buildLibrary,
  wheel: buildWheel,
};

/** Builds all packages of the repository `root` into `directory`. */
export async function buildPackages(root: string, directory: string): Promise<readonly BuiltPackage[]> {
  await mkdir(directory, { recursive: true });
  const files = await Promise.all(packages.map(({ kind, folder }) => builders[kind](path.join(root, folder))));
  for (const { file, content } of files) await writeFile(path.join(directory, file), content);
  const built = files.map(({ name, version, file, content }) => ({
    name,
    version,
    file,
    sizeBytes: content.byteLength,
    sha256: createHash("sha256").update(content).digest("hex"),
  }));
  await writeFile(path.join(directory, "index.json"), `${JSON.stringify(built, null, 2)}\n`);
  return built;
}
