// A Python package as wheels and source archives need it: its modules, and metadata from pyproject.toml.

import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { parse } from "smol-toml";

export interface Project {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly "requires-python": string;
  readonly dependencies?: readonly string[];
  /** Commands: `module:function` by name. */
  readonly scripts?: Readonly<Record<string, string>>;
}

interface PyProject {
  readonly "build-system": { readonly requires: readonly string[]; readonly "build-backend": string };
  readonly project: Project;
  readonly tool: { readonly hatch: { readonly build: { readonly targets: { readonly wheel: WheelTarget } } } };
}

interface WheelTarget {
  /** Folders of packages, such as `src/dari_client`. */
  readonly packages: readonly string[];
  /** Further folders, by their path from the project, with their path in the wheel. */
  readonly "force-include"?: Readonly<Record<string, string>>;
  readonly hooks?: { readonly custom: BlockingModules };
}

/** What hatch_build.py of a package does. */
interface BlockingModules {
  /** Asynchronous modules, with the blocking ones that are generated from them. */
  readonly files: Readonly<Record<string, string>>;
  /** Patterns with what replaces them, in order. */
  readonly replacements: readonly (readonly [string, string])[];
}

export interface PythonPackage {
  readonly project: Project;
  readonly buildSystem: object;
  /** `dari_client-1.2.3`: how the names of its archives begin. */
  readonly stem: string;
  /** Every module by its path in site-packages, in order. Generated modules are there. */
  readonly modules: ReadonlyMap<string, Uint8Array>;
  /** The text of METADATA and PKG-INFO. */
  readonly metadata: string;
  readonly readme: string;
  readonly license: Uint8Array;
}

export async function readPythonPackage(folder: string): Promise<PythonPackage> {
  const text = await readFile(path.join(folder, "pyproject.toml"), "utf8");
  const { project, tool, "build-system": buildSystem } = parse(text) as unknown as PyProject;
  const modules = new Map<string, Uint8Array>();
  const { wheel } = tool.hatch.build.targets;
  for (const [source, target] of foldersOf(wheel)) {
    const sources = new Map(await sourcesOf(path.join(folder, source)));
    if (wheel.hooks !== undefined) addBlockingModules(sources, wheel.hooks.custom);
    for (const file of [...sources.keys()].sort()) modules.set(`${target}/${file}`, sources.get(file)!);
  }
  const readme = await readFile(path.join(folder, "README.md"), "utf8");
  const license = await readFile(path.join(folder, "../../LICENSE"));
  const stem = `${project.name.replaceAll("-", "_")}-${project.version}`;
  return { project, buildSystem, stem, modules, metadata: metadataOf(project, readme), readme, license };
}

/** Returns each folder, with its path in the wheel. */
function foldersOf({ packages, "force-include": included = {} }: WheelTarget): (readonly [string, string])[] {
  return [...packages.map((source) => [source, path.basename(source)] as const), ...Object.entries(included)];
}

/** Replaces those that an installation from the checkout has left there. */
function addBlockingModules(sources: Map<string, Uint8Array>, { files, replacements }: BlockingModules): void {
  for (const [source, target] of Object.entries(files)) {
    const text = Buffer.from(sources.get(source)!).toString("utf8");
    const blocking = replacements.reduce(
      (changed, [pattern, replacement]) => changed.replace(new RegExp(pattern, "gm"), replacement),
      text,
    );
    sources.set(target, Buffer.from(blocking));
  }
}

/** Returns every file of the package, without what Python caches. */
async function sourcesOf(folder: string): Promise<[string, Uint8Array][]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("__pycache__"))
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));
  return Promise.all(
    files.map(async (file): Promise<[string, Uint8Array]> => [file, await readFile(path.join(folder, file))]),
  );
}

function metadataOf(project: Project, readme: string): string {
  const lines = [
    "Metadata-Version: 2.4",
    `Name: ${project.name}`,
    `Version: ${project.version}`,
    `Summary: ${project.description}`,
    `License-Expression: ${project.license}`,
    "License-File: LICENSE",
    `Requires-Python: ${project["requires-python"]}`,
    ...(project.dependencies ?? []).map((requirement) => `Requires-Dist: ${requirement}`),
    "Description-Content-Type: text/markdown",
  ];
  return `${lines.join("\n")}\n\n${readme}`;
}
