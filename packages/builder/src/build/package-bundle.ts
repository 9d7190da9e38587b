// The script of an agent's packages, with its code cache: the one that an earlier build made, or a new one.

import { copyFile, lstat, mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Runtime } from "../runtimes/runtime.ts";
import type { BundleCache } from "./bundle-cache.ts";
import { placeInTree } from "./place-in-tree.ts";
import { runInSandbox, succeeded, type BuildSandbox } from "./sandbox-program.ts";

export interface PackageBundles {
  readonly cache: BundleCache;
  /** What the packages come from, and for whom: of one scope, all that is imported by one name is the same. */
  readonly scope: readonly string[];
}

/** What the agent's own script wants of its packages. */
export interface SplitPlan {
  readonly packages: readonly string[];
  readonly isNodeModule: boolean;
}

export interface SplitFiles {
  readonly own: string;
  readonly map: string;
  readonly packages: string;
  readonly cache: string;
  readonly loader: string;
}

export interface PackageBundleRequest {
  readonly sandbox: BuildSandbox;
  readonly runtime: Runtime;
  readonly bundles: PackageBundles;
  readonly plan: SplitPlan;
  /** Names that the agent's script takes of each package. */
  readonly used: Readonly<Record<string, readonly string[]>>;
  /** Paths relative to the tree. */
  readonly files: SplitFiles;
  /** What else decides the script: the compiler, and where the script lies. */
  readonly compiler: readonly string[];
  /** Writes the script; the answer is why there is none. */
  bundle(): Promise<string | undefined>;
}

/** In the workspace of the run that makes it. */
const madeCache = "dari-code-cache";
const bytesMax = 64 * 1024 * 1024;
/** Loads what it is told to. */
const loadScript = `new (require("node:net").Socket)({ fd: 3 }).once("data", (path) => require(String(path)))`;

export type ProvidedPackages =
  | "provided"
  /** They cannot be a script of their own, but may be one with the agent. */
  | "unfit"
  /** They can be no script at all. */
  | { readonly reason: string };

/**
 * Nothing of them is left in the tree where they are not provided.
 * @throws BuildFailed where the agent's folder leads out of the tree.
 */
export async function providePackages(request: PackageBundleRequest): Promise<ProvidedPackages> {
  const { sandbox, files } = request;
  const tree = join(sandbox.slotDir, "workspace");
  const [script, cache] = [await placeInTree(tree, files.packages), await placeInTree(tree, files.cache)];
  const dir = await mkdtemp(join(dirname(sandbox.slotDir), "packages-"));
  const provided = await provide(request, { script, cache, dir, record: join(dir, "record.json") });
  if (provided === "provided") return provided;
  for (const path of Object.values(files)) await placeInTree(tree, path);
  return provided;
}

interface Places {
  readonly script: string;
  readonly cache: string;
  readonly dir: string;
  /** What the packages export, or why there is no script of them. */
  readonly record: string;
}

async function provide(request: PackageBundleRequest, places: Places): Promise<ProvidedPackages> {
  const { bundles, compiler, runtime, plan, used } = request;
  const { script, cache, record } = places;
  const key = [3, bundles.scope, compiler, runtime.version, plan];
  const whole = { "packages.cjs": script, "packages.cache": cache, "record.json": record };
  const isRefused = [...key, "refused"];
  if (!(await bundles.cache.take(key, whole))) {
    const known = await bundles.cache.take(isRefused, { "record.json": record });
    const reason = known ? await readRecord<string>(record) : await request.bundle();
    if (reason !== undefined) {
      await writeFile(record, JSON.stringify(reason));
      if (!known) await bundles.cache.keep(isRefused, { "record.json": record });
      return { reason };
    }
    if (!(await makeCodeCache(request, places))) return "unfit";
    await bundles.cache.keep(key, whole);
  }
  const exported = await readRecord<Record<string, string[]>>(record);
  // A name that a package does not have is the agent's error, which the agent as it was written shows best.
  const has = (name: string, one: string): boolean => exported[name]?.includes(one) === true;
  return Object.entries(used).every(([name, names]) => names.every((one) => has(name, one))) ? "provided" : "unfit";
}

async function readRecord<T>(file: string): Promise<T> {
  return JSON.parse(await readFile(file, "utf8")) as T;
}

/** By a run of the packages alone: no code of an agent has a hand in what its organization's other agents run. */
async function makeCodeCache(request: PackageBundleRequest, { dir, script, cache, record }: Places): Promise<boolean> {
  const { sandbox, runtime, files } = request;
  const slotDir = join(dir, "slot");
  for (const name of ["workspace", "state"]) await mkdir(join(slotDir, name), { recursive: true });
  const tree = join(sandbox.slotDir, "workspace");
  const ending = await runInSandbox(
    { ...sandbox, slotDir, emptyDir: tree, onLine: () => {} },
    {
      argv: [runtime.command, "-e", loadScript],
      env: { DARI_CODE_CACHE: madeCache },
      readOnlyPaths: runtime.readOnlyPaths,
      network: "none",
      message: (paths) => join(paths.image, files.loader),
    },
  );
  if (!succeeded(ending)) return false;
  const made = join(slotDir, "workspace", madeCache);
  // Written by the packages' own process, or links in their place.
  const sound = await Promise.all([script, made, `${made}.json`].map(isSmallFile));
  if (!sound.every(Boolean)) return false;
  await copyFile(made, cache);
  await copyFile(`${made}.json`, record);
  return true;
}

async function isSmallFile(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isFile() === true && found.size <= bytesMax;
}
