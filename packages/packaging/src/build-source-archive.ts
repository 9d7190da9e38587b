// Builds the source archive of a Python package ("sdist"), without Python. From it, pip builds the same modules as in
// the wheel, also those that a checkout generates or takes from another package.

import { stringify } from "smol-toml";
import { packArchive } from "./pack-archive.ts";
import type { PackageFile } from "./packages.ts";
import { readPythonPackage } from "./read-python-package.ts";

export async function buildSourceArchive(folder: string): Promise<PackageFile> {
  const { project, buildSystem, stem, modules, metadata, readme, license } = await readPythonPackage(folder);
  const { name, version } = project;
  const packages = [...new Set([...modules.keys()].map((file) => `src/${file.split("/")[0]}`))];
  const wheel = { packages };
  const settings = { "build-system": buildSystem, project, tool: { hatch: { build: { targets: { wheel } } } } };
  const files = [
    { path: "PKG-INFO", content: metadata },
    { path: "pyproject.toml", content: stringify(settings) },
    { path: "README.md", content: readme },
    { path: "LICENSE", content: license },
    ...[...modules].map(([file, content]) => ({ path: `src/${file}`, content })),
  ];
  return { name, version, file: `${stem}.tar.gz`, content: await packArchive(files, stem) };
}
