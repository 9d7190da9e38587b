// Other versions of Node for tests, from npm's packages of Node, kept below .cache.

import { mkdir } from "node:fs/promises";
import path from "node:path";
import { checkout } from "./program.ts";
import { runOrThrow } from "./python-environment.ts";

/** Versions by their major number. The one that runs the tests is used as it is. */
const versions = { 18: "18.20.8", 20: "20.20.2", 22: "22.23.5" } as const;

export type NodeMajor = keyof typeof versions | 24;

/** Returns the directory of the `node` program. @throws if npm cannot install it */
export async function nodeDirectory(major: NodeMajor): Promise<string> {
  if (major === 24) return path.dirname(process.execPath);
  const name = `node-${process.platform}-${process.arch}`;
  const prefix = path.join(checkout, ".cache", "node-versions", versions[major]);
  await mkdir(prefix, { recursive: true });
  const quiet = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
  await runOrThrow("npm", ["install", "--prefer-offline", "--prefix", prefix, ...quiet, `${name}@${versions[major]}`]);
  return path.join(prefix, "node_modules", name, "bin");
}
