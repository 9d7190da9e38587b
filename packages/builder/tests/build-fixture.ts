// Builds bundles for the tests with the real store, runtimes and sandbox of this machine.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { createFilesystemBlobStore, type BlobStore } from "@dari/blobs";
import type { DependencyLayerRef, DependencyLayerRegistry } from "@dari/bundles";
import { parseManifest, type Manifest } from "@dari/contract";
import { removeTree } from "@dari/native";
import { chooseDriver, type DriverName, type Guarantees, type SandboxDriver, type SandboxLimits } from "@dari/sandbox";
import { filesOf, writeBundle } from "@dari/testkit/bundles";
import {
  buildImage,
  createRuntimes,
  openImageCache,
  type BuildEgress,
  type BuildResult,
  type Runtimes,
} from "../src/index.ts";
import { hostEnvironment, temporaryDirectory } from "./host.ts";

export type Files = Record<string, string | Buffer>;

export interface Choices {
  signal?: AbortSignal;
  timeoutMs?: number;
  runtimes?: Runtimes;
  egress?: BuildEgress;
  sandboxLimits?: SandboxLimits;
  tmpBytes?: number;
  /** Default: one that caches each layer. */
  registry?: DependencyLayerRegistry;
  keyPrefix?: string;
}

export interface Image {
  readonly dir: string;
  readonly entry: string;
  readonly log: string;
  readonly warnings: string[];
}

export interface Builds extends AsyncDisposable {
  readonly store: BlobStore;
  readonly driver: SandboxDriver;
  readonly guarantees: Guarantees;
  readonly runtimes: Runtimes;
  /** Returns an unused path. */
  fresh(): string;
  build(files: Files, choices?: Choices): Promise<{ result: BuildResult; log: string }>;
  failureOf(files: Files): Promise<{ code: string; message: string }>;
  digestOf(files: Files): Promise<string>;
  /** Builds a wheel with these files by path. */
  wheel(name: string, files: Readonly<Record<string, string>>): Promise<Buffer>;
  /** Builds and unpacks through a cache. */
  imageOf(files: Files, choices?: Choices): Promise<Image>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** `more`: added to the environment of installers. */
export async function openBuilds(preferred?: DriverName, more: Record<string, string> = {}): Promise<Builds> {
  const temporary = await temporaryDirectory();
  let counter = 0;
  const fresh = (): string => join(temporary.path, `w${(counter += 1)}`);
  const store = createFilesystemBlobStore({ root: fresh() });
  const { driver, guarantees } = await chooseDriver({ minimum: "none", ...(preferred && { required: preferred }) });
  const env = { ...hostEnvironment(), ...more };
  const installPaths = env.PIP_FIND_LINKS === undefined ? [] : [env.PIP_FIND_LINKS];
  const runtimes = createRuntimes({ cacheDir: fresh(), env, installPaths, allowNearest: true });
  const cache = openImageCache({ dir: fresh(), store, maxBytes: 1e9 });
  const remembered = rememberLayers();

  async function build(
    files: Files,
    { registry = remembered, ...choices }: Choices = {},
  ): Promise<{ result: BuildResult; log: string }> {
    const bundleFile = await writeBundle(fresh(), filesOf(files));
    const manifest = manifestOf(String(files["dari.yml"]));
    const workDir = fresh();
    const signal = choices.signal ?? new AbortController().signal;
    const lines: string[] = [];
    const log = (text: string): void => void lines.push(text);
    const given = {
      store,
      bundleFile,
      manifest,
      driver,
      workDir,
      log,
      signal,
      keyPrefix: "org",
      runtimes,
      layers: { registry, cache },
    };
    try {
      const result = await buildImage({ ...given, ...choices, signal });
      return { result, log: lines.join("") };
    } finally {
      await removeTree(workDir);
    }
  }

  return {
    store,
    driver,
    guarantees,
    runtimes,
    fresh,
    build,
    async failureOf(files) {
      const { result } = await build(files);
      if (result.ok) throw new Error("the build succeeded");
      return result.failure;
    },
    async digestOf(files) {
      const { result } = await build(files);
      return result.ok ? result.image.digest : result.failure.message;
    },
    async wheel(name, files) {
      const { command } = await runtimes.resolve("python", undefined);
      return makeWheel(command, `${fresh()}.whl`, name, files);
    },
    async imageOf(files, choices) {
      const { result, log } = await build(files, choices);
      if (!result.ok) throw new Error(`${result.failure.code}: ${result.failure.message}\n${log}`);
      const lease = await cache.ensure(result.image);
      return { dir: lease.dir, entry: join(lease.dir, result.image.entry.file), log, warnings: result.warnings };
    },
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose](),
  };
}

/** A wheel is a zip, which Python can write. */
function makeWheel(python: string, file: string, name: string, files: Readonly<Record<string, string>>): Buffer {
  const script = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    for name, text in json.loads(sys.argv[2]).items():
        wheel.writestr(zipfile.ZipInfo(name), text)`;
  const about = {
    METADATA: `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0\n`,
    WHEEL: "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    RECORD: "",
  };
  const described = Object.entries(about).map(([key, text]) => [`${name}-1.0.dist-info/${key}`, text]);
  const contents = { ...Object.fromEntries(described), ...files };
  execFileSync(python, ["-c", script, file, JSON.stringify(contents)]);
  return readFileSync(file);
}

/** Keeps layers while the test runs: a worker's registry for one process. */
function rememberLayers(): DependencyLayerRegistry {
  const layers = new Map<string, Promise<DependencyLayerRef>>();
  return {
    obtain(key, make, signal) {
      const layer = layers.get(key) ?? make(signal);
      layers.set(key, layer);
      layer.catch(() => layers.delete(key));
      return layer;
    },
  };
}

function manifestOf(text: string): Manifest {
  const parsed = parseManifest(text);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  return parsed.manifest;
}

/** Returns a dari.yml with this entrypoint. */
export function manifest(entrypoint: string, more = ""): string {
  return `name: a\nsdk: opencode\nentrypoint: ${entrypoint}\n${more}`;
}

/** Returns every file below `dir` as a bundle's files. */
export async function filesBelow(dir: string): Promise<Files> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const files = paths.map(async (path) => [relative(dir, path), await readFile(path)] as const);
  return Object.fromEntries(await Promise.all(files));
}

/** Calls the export as a guest does. */
export function callNode(entry: string): unknown {
  const call = `(m.agent ?? m.default.agent)("hi")`;
  const script = `const m = await import(process.argv[1]); console.log(JSON.stringify(await ${call}))`;
  const args = ["--enable-source-maps", "--input-type=module", "-e", script, entry];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }));
}

export const supportAgent = {
  "dari.yml": manifest("src/agent.ts:agent"),
  "src/agent.ts": `
import { readFile } from "node:fs/promises";
import { answer, type Answer } from "./lib/answer.js";
enum Tone { Kind = "kind" }
export async function agent(prompt: string): Promise<Answer & { policy: string; dir: string; tone: Tone }> {
  const policy = await readFile(new URL("../data/policy.txt", import.meta.url), "utf8");
  return { ...answer(prompt), policy, dir: __dirname.split("/").at(-1)!, tone: Tone.Kind };
}
`,
  "src/lib/answer.ts": `
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
export interface Answer { text: string; data: number }
export function answer(prompt: string): Answer {
  return { text: prompt.toUpperCase(), data: require("./data.json").n };
}
export function boom(): never {
  throw new Error("boom" as string);
}
`,
  "src/lib/data.json": `{"n": 7}`,
  "data/policy.txt": "be nice",
};
