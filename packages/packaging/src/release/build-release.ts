// Builds what a release publishes into one folder. The same commit gives the same bytes.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { buildPackages } from "../build-packages.ts";
import { buildSourceArchive } from "../build-source-archive.ts";
import { packArchive } from "../pack-archive.ts";
import { packages } from "../packages.ts";
import { readPythonPackage } from "../read-python-package.ts";
import { listComponents } from "./list-components.ts";
import { readVersion } from "./version.ts";

const execute = promisify(execFile);
/** What the three Dockerfiles and docker-compose.yml read. */
const imageSources = [
  ".dockerignore",
  "LICENSE",
  "apps",
  "docker-compose.yml",
  "infra",
  "package.json",
  "packages",
  "pnpm-lock.yaml",
  "pnpm-workspace.yaml",
  "tsconfig.base.json",
];

/** Replaces `directory` with the files of a release. `pnpm` must be on the PATH. */
export async function buildRelease(root: string, directory: string): Promise<void> {
  const version = await readVersion(root);
  const commit = await git(root, ["rev-parse", "HEAD"]);
  const committedAt = new Date(1_000 * Number(await git(root, ["show", "--no-patch", "--format=%ct"]))).toISOString();
  const at = (...names: string[]): string => path.join(directory, ...names);
  await rm(directory, { recursive: true, force: true });
  for (const folder of ["npm", "python", "chart", "images"]) await mkdir(at(folder), { recursive: true });

  await writePackages(root, at, version);
  await writeFile(at("chart", `dari-${version}.tgz`), await packChart(path.join(root, "infra/helm/dari")));
  // git gives every file of the archive the time of the commit and no owner.
  const context = at("images", `dari-images-${version}.tar.gz`);
  await git(root, ["archive", "--output", context, "HEAD", ...imageSources]);

  const python = packages.filter(({ kind }) => kind === "wheel").map(({ folder }) => path.join(root, folder));
  const pythonPackages = await Promise.all(python.map(readPythonPackage));
  const release = { version, commit, committedAt: committedAt.replace(".000Z", "Z") };
  await writeFile(at(`dari-${version}.spdx.json`), await listComponents(root, release, pythonPackages));
  await writeFile(at("SHA256SUMS"), await checksumsOf(directory));
}

/** The API serves packages of npm under one name. A registry's copies have their version in it. */
async function writePackages(root: string, at: (...names: string[]) => string, version: string): Promise<void> {
  for (const { file } of await buildPackages(root, at("npm"))) {
    const isWheel = file.endsWith(".whl");
    const name = isWheel ? file : file.replace(/\.tgz$/, `-${version}.tgz`);
    await rename(at("npm", file), isWheel ? at("python", name) : at("npm", name));
  }
  await rm(at("npm", "index.json"));
  for (const { folder } of packages.filter(({ kind }) => kind === "wheel")) {
    const { file, content } = await buildSourceArchive(path.join(root, folder));
    await writeFile(at("python", file), content);
  }
}

/** Returns the chart as `helm package` makes it: files that link out of the chart are copied into it. */
async function packChart(folder: string): Promise<Uint8Array> {
  const names = (await git(folder, ["ls-files"])).split("\n").sort();
  const files = names.map(async (name) => ({ path: name, content: await readFile(path.join(folder, name)) }));
  return packArchive(await Promise.all(files), path.basename(folder));
}

/** Returns the lines that `sha256sum --check` reads. */
async function checksumsOf(directory: string): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  const lines = files.sort().map(async (file) => {
    const hash = createHash("sha256")
      .update(await readFile(file))
      .digest("hex");
    return `${hash}  ${path.relative(directory, file)}\n`;
  });
  return (await Promise.all(lines)).join("");
}

async function git(cwd: string, args: readonly string[]): Promise<string> {
  return (await execute("git", args, { cwd })).stdout.trim();
}
