// The console, built once per state of its sources. The API finds it in apps/console/dist, also when it comes later.

import { createHash, randomBytes } from "node:crypto";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { at, cacheDir } from "./paths.mjs";
import { runStep } from "./spawn.mjs";

const distDir = at("apps", "console", "dist");
const stampName = ".built-from";

/** What the console is made of. */
const sources = [
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
];

/** Whatever we run in, such as a test: else React comes with its checks for developers, three times as large. */
const buildEnv = { NODE_ENV: "production" };

/** Builds the console unless it is there as its sources say; waits for the end. */
export async function ensureConsole() {
  const wanted = fingerprint();
  if (isBuilt(wanted)) return;
  const draft = draftDir();
  try {
    await runStep("Building the console", process.execPath, buildArgs(draft), { env: buildEnv });
    publish(draft, wanted);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/**
 * The same beside a program that is about to start, and without a word: until it is done the API answers with a page
 * that says so. Ends with this process.
 */
export function buildConsoleInBackground() {
  const wanted = fingerprint();
  if (isBuilt(wanted)) return;
  const draft = draftDir();
  const child = spawn(process.execPath, buildArgs(draft), {
    cwd: at(),
    env: { ...process.env, ...buildEnv },
    stdio: "ignore",
  });
  child.unref();
  process.once("exit", () => {
    child.kill();
    rmSync(draft, { recursive: true, force: true });
  });
  child.once("error", () => {});
  child.once("close", (code) => code === 0 && publish(draft, wanted));
}

function buildArgs(draft) {
  return [at("apps/console/node_modules/vite/bin/vite.js"), "build", at("apps/console"), "--outDir", draft];
}

/** On the disk where it will be, so that it gets there by a rename. */
function draftDir() {
  return path.join(cacheDir, `console-${process.pid}-${randomBytes(3).toString("hex")}`);
}

/** A page that is open keeps what it has loaded; one that loads meanwhile gets the old console or the new. */
function publish(draft, wanted) {
  writeFileSync(path.join(draft, stampName), wanted);
  rmSync(distDir, { recursive: true, force: true });
  try {
    renameSync(draft, distDir);
  } catch (error) {
    // Another set-up was faster, with the same console.
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
  }
}

function isBuilt(wanted) {
  const stamp = path.join(distDir, stampName);
  return existsSync(stamp) && readFileSync(stamp, "utf8") === wanted;
}

function fingerprint() {
  const hash = createHash("sha256");
  for (const file of sources.flatMap(filesOf))
    hash
      .update(`${file}\0`)
      .update(readFileSync(at(file)))
      .update("\0");
  return `${hash.digest("hex")}\n`;
}

/** The file, or every file below the directory, in one order. */
function filesOf(name) {
  const isFile = /\.\w+$/.test(name);
  if (isFile) return [name];
  const entries = readdirSync(at(name), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  return files.map((file) => path.relative(at(), file)).sort();
}
