// What is built from the sources before it is used: the console and the packages. Each is built once per state of its
// sources. The API finds them, also when they are finished after it has started.

import { createHash, randomBytes } from "node:crypto";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { at, cacheDir } from "./paths.mjs";
import { runStep } from "./spawn.mjs";

const stampName = ".built-from";

export const consolePages = {
  label: "Building the console",
  dist: at("apps", "console", "dist"),
  sources: [
    "pnpm-lock.yaml",
    "tsconfig.base.json",
    "apps/console/index.html",
    "apps/console/package.json",
    "apps/console/tsconfig.json",
    "apps/console/vite.config.ts",
    "apps/console/src",
    "packages/client/src",
    "packages/contract/src",
    "packages/domain/src",
  ],
  args: (draft) => [at("apps/console/node_modules/vite/bin/vite.js"), "build", at("apps/console"), "--outDir", draft],
};

export const packages = {
  label: "Building the packages",
  dist: at("packages", "packaging", "dist"),
  sources: [
    "package.json",
    "pnpm-lock.yaml",
    "apps/cli",
    "packages/agent",
    "packages/agent-python",
    "packages/client",
    "packages/client-python",
    "packages/contract/src",
    "packages/domain/src",
    "packages/harness",
    "packages/packaging/src",
    "packages/react",
  ],
  args: (draft) => [at("packages/packaging/src/main.ts"), draft],
};

/** Whatever the environment says, such as in a test: otherwise React comes with its checks for developers. */
const buildEnv = { NODE_ENV: "production" };

/** Whether the output must be built first. */
export const isMissing = (output) => !isBuilt(output, fingerprint(output));

/** Builds the output unless it is there as its sources say. Waits for the end. */
export async function ensureBuilt(output) {
  const wanted = fingerprint(output);
  if (isBuilt(output, wanted)) return;
  const draft = draftDir();
  try {
    await runStep(output.label, process.execPath, output.args(draft), { env: buildEnv });
    publish(output, draft, wanted);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/**
 * Builds outputs one after the other, silently, in parallel with a program that is about to start. Until one is done,
 * the API says so in its place. Ends with this process.
 */
export async function buildInBackground(outputs) {
  for (const output of outputs) await buildBeside(output);
}

async function buildBeside(output) {
  const wanted = fingerprint(output);
  if (isBuilt(output, wanted)) return;
  const draft = draftDir();
  const child = spawn(process.execPath, output.args(draft), {
    cwd: at(),
    env: { ...process.env, ...buildEnv },
    stdio: "ignore",
  });
  child.unref();
  process.once("exit", () => {
    child.kill();
    rmSync(draft, { recursive: true, force: true });
  });
  const code = await new Promise((resolve) => child.once("error", resolve).once("close", resolve));
  if (code === 0) publish(output, draft, wanted);
}

/** On the disk where it will be, so that a rename puts it there. */
function draftDir() {
  return path.join(cacheDir, `draft-${process.pid}-${randomBytes(3).toString("hex")}`);
}

/** An open page keeps what it has loaded. A page that loads during the rename gets the old files or the new ones. */
function publish({ dist }, draft, wanted) {
  writeFileSync(path.join(draft, stampName), wanted);
  rmSync(dist, { recursive: true, force: true });
  try {
    renameSync(draft, dist);
  } catch (error) {
    // Another set-up was faster, with the same output.
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
  }
}

function isBuilt({ dist }, wanted) {
  const stamp = path.join(dist, stampName);
  return existsSync(stamp) && readFileSync(stamp, "utf8") === wanted;
}

function fingerprint({ sources }) {
  const hash = createHash("sha256");
  for (const file of sources.flatMap(filesOf))
    hash
      .update(`${file}\0`)
      .update(readFileSync(at(file)))
      .update("\0");
  return `${hash.digest("hex")}\n`;
}

const skipped = new Set(["node_modules", "__pycache__", ".mypy_cache", ".venv", "_sync"]);

/**
 * Returns the file, or every file below the directory, in one order. Does not follow links, and skips what is
 * installed or generated.
 */
function filesOf(name) {
  if (statSync(at(name)).isFile()) return [name];
  const entries = readdirSync(at(name), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const inside = `${name}/${entry.name}`;
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : filesOf(inside);
    return entry.isFile() ? [inside] : [];
  });
}
