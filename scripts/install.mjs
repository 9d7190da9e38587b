// Dependencies, installed by the pinned pnpm through npm, and only when something they depend on has changed.

import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { SetupError } from "./explain.mjs";
import { at, root } from "./paths.mjs";
import { homeEnv, npmCommand, runStep } from "./spawn.mjs";

const pnpm = "pnpm@12.21.0";
const stampFile = at("node_modules", ".dari-setup");

/** Installs unless the stamp of the last set-up says that nothing has changed since. */
export async function ensureInstalled() {
  const wanted = fingerprint();
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === wanted) return;
  assertWritable();
  const [command, ...args] = pnpmCommand(["pnpm", "install", "--frozen-lockfile", "--reporter=append-only"]);
  // With CI set, pnpm asks no questions: there can be no person to answer.
  const silence = `npm fetches ${pnpm}`;
  await runStep("Installing dependencies", command, args, { env: { ...homeEnv(), CI: "true" }, silence });
  writeFileSync(stampFile, wanted);
}

/** Returns a command that runs with the pinned pnpm on its PATH, as [command, ...arguments]. */
export function pnpmCommand(command) {
  return [...npmCommand(), "exec", "--yes", `--package=${pnpm}`, "--", ...command];
}

/** Everything that decides what node_modules holds. */
function fingerprint() {
  const hash = createHash("sha256");
  const add = (name, content) => hash.update(`${name}\0${content.length}\0`).update(content);
  add("node", `${process.platform} ${process.arch} ${process.version}`);
  add("pnpm", pnpm);
  for (const file of manifests()) add(file, readFileSync(at(file), "utf8"));
  return `${hash.digest("hex")}\n`;
}

function manifests() {
  const members = ["apps", "packages"].flatMap((group) =>
    readdirSync(at(group))
      .sort()
      .map((name) => `${group}/${name}/package.json`),
  );
  const files = ["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json", ...members];
  return files.filter((file) => existsSync(at(file)));
}

function assertWritable() {
  try {
    accessSync(root, constants.W_OK);
  } catch {
    throw new SetupError(`${root} is not writable, and set-up keeps everything inside it. Use a checkout of your own.`);
  }
}
