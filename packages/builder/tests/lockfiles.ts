// Projects that depend on one small package, with the lockfiles that their package managers wrote.

import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Builds, Files } from "./build-fixture.ts";
import { hostEnvironment } from "./host.ts";

const run = promisify(execFile);
const timeoutMs = 120_000;
const integrity = "sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==";

export const npmLock = JSON.stringify({
  lockfileVersion: 3,
  packages: {
    "": { dependencies: { ms: "2.1.3" } },
    "node_modules/ms": { version: "2.1.3", integrity },
  },
});

export const pnpmLock = `lockfileVersion: '9.0'
importers:
  .:
    dependencies:
      ms: {specifier: 2.1.3, version: 2.1.3}
packages:
  ms@2.1.3:
    resolution: {integrity: ${integrity}}
snapshots:
  ms@2.1.3: {}
`;

export const poetryLock = `[[package]]
name = "six"
version = "1.16.0"
description = ""
optional = false
python-versions = "*"
files = []

[metadata]
lock-version = "2.1"
python-versions = ">=3.10"
content-hash = ""
`;

export const poetryProject = `[tool.poetry.dependencies]
python = "^3.10"
six = "^1.15"
[tool.poetry.group.dev.dependencies]
no-such-package-of-this-test = "*"
`;

export const uvProject = `[project]
name = "agent"
version = "1"
requires-python = ">=3.10"
dependencies = ["six==1.16.0"]
`;

/** Yarn writes the package's path into its lockfile, so the test has to write it. */
export async function writeYarnLock(builds: Builds, packageName: string, files: Files): Promise<string> {
  const dir = await writeProject(builds, files);
  const { npm } = await builds.runtimes.installTools();
  if (npm === undefined) throw new Error("this machine has no npm");
  const args = [npm.cli, "exec", "--yes", `--package=${packageName}`, "--", "yarn", "install", "--ignore-scripts"];
  const env = { ...hostEnvironment(), YARN_NODE_LINKER: "node-modules", YARN_ENABLE_IMMUTABLE_INSTALLS: "false" };
  await run(process.execPath, args.slice(0, packageName.startsWith("@") ? -1 : undefined), {
    cwd: dir,
    env,
    timeout: timeoutMs,
  });
  return readFile(join(dir, "yarn.lock"), "utf8");
}

/** uv also writes the path. */
export async function writeUvLock(builds: Builds, files: Files): Promise<string> {
  const dir = await writeProject(builds, files);
  const { command } = await builds.runtimes.resolve("python", undefined);
  const tool = builds.fresh();
  const options = { cwd: dir, env: hostEnvironment(), timeout: timeoutMs };
  await run(command, ["-m", "pip", "install", "--quiet", "--target", tool, "uv"], options);
  await run(join(tool, "bin/uv"), ["lock", "--python", command], options);
  return readFile(join(dir, "uv.lock"), "utf8");
}

async function writeProject(builds: Builds, files: Files): Promise<string> {
  const dir = builds.fresh();
  await mkdir(dir);
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), content);
  return dir;
}

/** Whether this machine can reach a package registry. */
export async function hasRegistry(builds: Builds): Promise<boolean> {
  const { npm } = await builds.runtimes.installTools();
  if (npm === undefined) return false;
  const options = { env: hostEnvironment(), timeout: 20_000 };
  return run(process.execPath, [npm.cli, "view", "ms@2.1.3", "version"], options).then(
    () => true,
    () => false,
  );
}
