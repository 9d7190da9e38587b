// Programs that npm's registry serves as packages, kept below .cache: other versions of Node, Deno, Bun.

import { mkdir } from "node:fs/promises";
import path from "node:path";
import { checkout } from "./program.ts";
import { runOrThrow } from "./python-environment.ts";

const quiet = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];

/** Returns the directory of the package. @throws if npm cannot install it */
export async function npmPackage(name: string, version: string): Promise<string> {
  const prefix = path.join(checkout, ".cache", "npm-programs", `${name.replaceAll(/[@/]/g, "")}-${version}`);
  await mkdir(prefix, { recursive: true });
  await runOrThrow("npm", ["install", "--prefer-offline", "--prefix", prefix, ...quiet, `${name}@${version}`]);
  return path.join(prefix, "node_modules", name);
}

/** Versions of Node by their major number. The one that runs the tests is used as it is. */
const nodeVersions = { 18: "18.20.8", 20: "20.20.2", 22: "22.23.5" } as const;

export type NodeMajor = keyof typeof nodeVersions | 24;

/** Returns the directory of the `node` program. @throws if npm cannot install it */
export async function nodeDirectory(major: NodeMajor): Promise<string> {
  if (major === 24) return path.dirname(process.execPath);
  return path.join(await npmPackage(`node-${process.platform}-${process.arch}`, nodeVersions[major]), "bin");
}

/** Returns the program `deno`. @throws if npm cannot install it */
export async function denoProgram(): Promise<string> {
  const libc = process.platform === "linux" ? "-glibc" : "";
  return path.join(await npmPackage(`@deno/${process.platform}-${process.arch}${libc}`, "2.9.6"), "deno");
}

/** Returns the program `bun`. @throws if npm cannot install it */
export async function bunProgram(): Promise<string> {
  const arch = process.arch === "arm64" ? "aarch64" : process.arch;
  return path.join(await npmPackage(`@oven/bun-${process.platform}-${arch}`, "1.4.5"), "bin/bun");
}
