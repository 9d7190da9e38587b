// Builds a Python package as a wheel, without Python: a ZIP file of its sources with metadata from pyproject.toml.

import { zipSync, type Zippable } from "fflate";
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { parse } from "smol-toml";
import type { PackageFile } from "./packages.ts";

interface Project {
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

/** The first time that a ZIP file can have, in any time zone. */
const mtime = new Date(1980, 0, 1);
/** A regular file of mode 644, as ZIP files of Unix say it. */
const attrs = 0o100_644 * 2 ** 16;
const unix = 3;

export async function buildWheel(folder: string): Promise<PackageFile> {
  const { project, tool } = parse(await readFile(path.join(folder, "pyproject.toml"), "utf8")) as unknown as PyProject;
  const { name, version } = project;
  const stem = `${name.replaceAll("-", "_")}-${version}`;
  const info = `${stem}.dist-info`;
  const files = new Map<string, Uint8Array>();
  const wheel = tool.hatch.build.targets.wheel;
  for (const [source, target] of foldersOf(wheel)) {
    const sources = new Map(await sourcesOf(path.join(folder, source)));
    if (wheel.hooks !== undefined) addBlockingModules(sources, wheel.hooks.custom);
    for (const file of [...sources.keys()].sort()) files.set(`${target}/${file}`, sources.get(file)!);
  }
  const readme = await readFile(path.join(folder, "README.md"), "utf8");
  files.set(`${info}/METADATA`, Buffer.from(metadataOf(project, readme)));
  files.set(`${info}/WHEEL`, Buffer.from(wheelFile));
  if (project.scripts !== undefined) {
    files.set(`${info}/entry_points.txt`, Buffer.from(entryPointsOf(project.scripts)));
  }
  files.set(`${info}/licenses/LICENSE`, await readFile(path.join(folder, "../../LICENSE")));
  files.set(`${info}/RECORD`, Buffer.from(recordOf(files, `${info}/RECORD`)));
  const entries: Zippable = {};
  for (const [file, content] of files) entries[file] = [content, { mtime, attrs, os: unix }];
  return { name, version, file: `${stem}-py3-none-any.whl`, content: zipSync(entries, { level: 9 }) };
}

/** Returns each folder, with its path in the wheel. */
function foldersOf({ packages, "force-include": included = {} }: WheelTarget): (readonly [string, string])[] {
  return [...packages.map((source) => [source, path.basename(source)] as const), ...Object.entries(included)];
}

function entryPointsOf(scripts: Readonly<Record<string, string>>): string {
  return `[console_scripts]\n${Object.entries(scripts)
    .map(([name, target]) => `${name} = ${target}\n`)
    .join("")}`;
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

const wheelFile = `Wheel-Version: 1.0
Generator: dari
Root-Is-Purelib: true
Tag: py3-none-any
`;

/** Returns the hash and the size of each file, except of the record itself. */
function recordOf(files: ReadonlyMap<string, Uint8Array>, record: string): string {
  const rows = [...files].map(([file, content]) => {
    const hash = createHash("sha256").update(content).digest("base64url");
    return `${file},sha256=${hash},${content.byteLength}`;
  });
  return `${[...rows, `${record},,`].join("\n")}\n`;
}
