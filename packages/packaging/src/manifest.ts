// The package.json of a package: what a registry needs of the one in the repository.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { readVersion } from "./release/version.ts";

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
}

export async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(path.join(folder, "package.json"), "utf8");
  const { name, description, license } = JSON.parse(text) as Manifest;
  const version = await readVersion(path.join(folder, "../.."));
  return { name, version, description, license };
}

export function renderManifest(manifest: object): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** Returns the README and the license, which every package has. */
export async function documentsOf(folder: string): Promise<readonly { path: string; content: string }[]> {
  const places = { "README.md": path.join(folder, "README.md"), LICENSE: path.join(folder, "../../LICENSE") };
  const documents = Object.entries(places).map(async ([name, place]) => ({
    path: name,
    content: await readFile(place, "utf8"),
  }));
  return Promise.all(documents);
}
