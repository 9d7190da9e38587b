// Builds a Python package as a wheel, without Python: a ZIP file of its sources with metadata from pyproject.toml.

import { zipSync, type Zippable } from "fflate";
import { createHash } from "node:crypto";
import type { PackageFile } from "./packages.ts";
import { readPythonPackage } from "./read-python-package.ts";

/** The first time that a ZIP file can have, in any time zone. */
const mtime = new Date(1980, 0, 1);
/** A regular file of mode 644, as ZIP files of Unix say it. */
const attrs = 0o100_644 * 2 ** 16;
const unix = 3;

export async function buildWheel(folder: string): Promise<PackageFile> {
  const { project, stem, modules, metadata, license } = await readPythonPackage(folder);
  const { name, version, scripts } = project;
  const info = `${stem}.dist-info`;
  const files = new Map(modules);
  files.set(`${info}/METADATA`, Buffer.from(metadata));
  files.set(`${info}/WHEEL`, Buffer.from(wheelFile));
  if (scripts !== undefined) files.set(`${info}/entry_points.txt`, Buffer.from(entryPointsOf(scripts)));
  files.set(`${info}/licenses/LICENSE`, license);
  files.set(`${info}/RECORD`, Buffer.from(recordOf(files, `${info}/RECORD`)));
  const entries: Zippable = {};
  for (const [file, content] of files) entries[file] = [content, { mtime, attrs, os: unix }];
  return { name, version, file: `${stem}-py3-none-any.whl`, content: zipSync(entries, { level: 9 }) };
}

function entryPointsOf(scripts: Readonly<Record<string, string>>): string {
  return `[console_scripts]\n${Object.entries(scripts)
    .map(([name, target]) => `${name} = ${target}\n`)
    .join("")}`;
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
