// A whole build: turns a bundle into an installed, compiled and checked image in the blob store.

import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import type { BlobStore } from "@dari/blobs";
import { BundleRefusedError, unpackBundle, type ImageRef, type DependencyLayerRegistry } from "@dari/bundles";
import type { Manifest } from "@dari/contract";
import { failure, limits, type Failure } from "@dari/domain";
import type { SandboxDriver, SandboxLimits } from "@dari/sandbox";
import type { ImageCache } from "../image/image-cache.ts";
import { ImageTooLargeError, packImage } from "../image/pack-image.ts";
import { listSdkFiles } from "../image/sdk-files.ts";
import { storeIfMissing } from "../image/store-if-missing.ts";
import { provideDependencyLayer, type LinkedDependencyLayer } from "../dependency-layer/provide-dependency-layer.ts";
import { RuntimeUnavailableError, type Runtime } from "../runtimes/runtime.ts";
import type { Runtimes } from "../runtimes/runtimes.ts";
import { BuildFailedError } from "./build-failed.ts";
import { createBuildLog, type BuildLog } from "./build-log.ts";
import { addOpencode } from "./add-opencode.ts";
import { checkEntry, type EntryCheck } from "./check-entry.ts";
import { compileNode, compilePython, type CompiledAgent } from "./compile-agent.ts";
import { chooseInstaller } from "./choose-installer.ts";
import { defaultBuildEgress, type BuildEgress } from "./install-network.ts";
import { prepareFilePath } from "./prepare-file-path.ts";
import { findUnreadRequirements } from "./python-installers.ts";
import { describeUnpinned } from "./read-python-pins.ts";
import { resolveEntry, type Entry } from "./resolve-entry.ts";
import type { BuildSandbox } from "./run-in-sandbox.ts";

export interface BuildOptions {
  readonly store: BlobStore;
  /** A local tar.gz. It is checked again while it is unpacked. */
  readonly bundleFile: string;
  readonly manifest: Manifest;
  /** The image's key is `<keyPrefix>/images/<sha256>-<random>`. */
  readonly keyPrefix: string;
  /** The organization's layers of dependencies, and where this machine unpacks them. */
  readonly layers: { readonly registry: DependencyLayerRegistry; readonly cache: ImageCache };
  readonly runtimes: Runtimes;
  readonly driver: SandboxDriver;
  /** The build creates its own directory in it, which the caller removes in the background. */
  readonly workDir: string;
  /** Limits of each program of the build (default: the driver's). */
  readonly sandboxLimits?: SandboxLimits;
  /** Size limit of /tmp for installers and compilers (default: `limits.buildTmpBytes`). */
  readonly tmpBytes?: number;
  /** What installers can connect to, if the driver restricts their network (default: only the package registries). */
  readonly egress?: BuildEgress;
  /** Default: `limits.buildTimeoutMs`. */
  readonly timeoutMs?: number;
  /** Gets the build log in whole lines, at most `limits.buildLogBytes`. */
  log(text: string): void;
  readonly signal: AbortSignal;
}

export type BuildResult = { ok: true; image: ImageRef; warnings: string[] } | { ok: false; failure: Failure };

/**
 * Builds an image. A result that is not `ok` is the tenant's error: the same bundle would fail again.
 * @throws the signal's reason if it aborts, and failures of the platform (store, disk, sandbox). Every process of the
 *   build is dead in any case.
 */
export async function buildImage(options: BuildOptions): Promise<BuildResult> {
  const log = createBuildLog(options.log);
  const timeoutMs = options.timeoutMs ?? limits.buildTimeoutMs;
  const deadline = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([options.signal, deadline]);
  await mkdir(options.workDir, { recursive: true });
  const dir = await mkdtemp(join(options.workDir, "build-"));
  try {
    const image = await build({ ...options, signal }, dir, log);
    return { ok: true, image, warnings: [...log.warnings] };
  } catch (error) {
    options.signal.throwIfAborted();
    const failed = deadline.aborted
      ? new BuildFailedError([tooLong(timeoutMs, log.currentStep), ...log.lastLines].join("\n")).failure
      : tenantFailure(error, log.currentStep);
    if (failed === undefined) throw error;
    log.line(`build failed: ${withoutLogged(failed.message, log.lastLines)}`);
    return { ok: false, failure: failed };
  }
}

/** Removes lines that the log has just shown. */
function withoutLogged(message: string, logged: readonly string[]): string {
  const [first, ...more] = message.split("\n");
  const isNew = (line: string): boolean => !logged.includes(line) && !logged.includes(`error: ${line}`);
  return [first, ...more.filter(isNew)].join("\n");
}

const tooLong = (timeoutMs: number, step: string): string =>
  `the build took longer than ${timeoutMs / 1000} s; it was at: ${step}`;

async function build(options: BuildOptions, dir: string, log: BuildLog): Promise<ImageRef> {
  const { manifest, signal } = options;
  const sandbox = await makeSandbox(options, dir, log);
  const tree = join(sandbox.slotDir, "workspace");
  await log.step("unpack", async () => {
    const { files, unpackedBytes, warnings } = await unpackBundle({ file: options.bundleFile, dir: tree, signal });
    for (const warning of warnings) log.warn(warning);
    log.line(`unpacked ${files} files, ${unpackedBytes} bytes`);
  });
  const source = await resolveEntry(tree, manifest);
  const runtime = await log.step("runtime", () => findRuntime(options, log));
  const prepare = async () => {
    const provided = await install(options, sandbox, runtime, source, dir, log);
    const compiled = await log.step("compile", () => compile(sandbox, runtime, source, log));
    const { suspicions } = compiled;
    const given = { sandbox, tree, dir, manifest, runtime, entry: compiled.entry, source, suspicions };
    return { provided, entry: await log.step("check", () => check(given, compiled, log)) };
  };
  const { provided, entry } = await prepare().catch(async (error: unknown) => {
    if (!(await addOpencode(tree, manifest, error))) throw error;
    log.line("the agent is an object without a package.json: OpenCode is installed for it");
    return prepare();
  });
  const { problem } = await listSdkFiles(tree);
  if (problem !== undefined) log.warn(problem);
  const file = join(dir, "image.tar.zst");
  const packed = await log.step("pack", () => packImage({ dir: tree, file, except: provided?.roots ?? [], signal }));
  for (const omitted of packed.omitted) log.warn(`left out of the image: ${omitted}`);
  const place = `${options.keyPrefix}/images/${packed.digest}`;
  const objectKey = await log.step("store", () => storeIfMissing(options.store, place, file));
  log.line(`image ${packed.digest}: ${packed.entries} entries, ${packed.sizeBytes} bytes packed`);
  const { language, version } = runtime;
  const image = { digest: packed.digest, objectKey, runtime: { language, version }, entry };
  return provided === undefined ? image : { ...image, layer: provided.layer };
}

async function compile(sandbox: BuildSandbox, runtime: Runtime, source: Entry, log: BuildLog): Promise<CompiledAgent> {
  if (runtime.language === "typescript") return compileNode(sandbox, runtime, source, log);
  await compilePython(sandbox, runtime);
  return { entry: source, suspicions: [] };
}

async function makeSandbox(options: BuildOptions, dir: string, log: BuildLog): Promise<BuildSandbox> {
  const slotDir = join(dir, "slot");
  const emptyDir = join(dir, "empty");
  await mkdir(join(slotDir, "state"), { recursive: true });
  await mkdir(emptyDir);
  const { driver, signal, sandboxLimits = {}, tmpBytes = limits.buildTmpBytes } = options;
  const onLine = (line: string): void => log.line(line);
  return { driver, signal, slotDir, emptyDir, limits: sandboxLimits, tmpBytes, onLine };
}

async function findRuntime(options: BuildOptions, log: BuildLog): Promise<Runtime> {
  const { language, version } = options.manifest.runtime;
  const runtime = await options.runtimes.resolve(language, version, options.signal, (text) => log.line(text));
  if (runtime.warning !== undefined) log.warn(runtime.warning);
  log.line(`${language === "python" ? "python" : "node"} ${runtime.version}`);
  return runtime;
}

/** Installs the bundle's dependencies. Returns undefined if there are none. */
async function install(
  options: BuildOptions,
  sandbox: BuildSandbox,
  runtime: Runtime,
  source: Entry,
  dir: string,
  log: BuildLog,
): Promise<LinkedDependencyLayer | undefined> {
  const tree = join(sandbox.slotDir, "workspace");
  const tools = await options.runtimes.installTools();
  const installer = await chooseInstaller(tree, runtime, tools, source.file);
  if (installer === undefined) {
    log.line("no dependencies to install");
    const unread = runtime.language === "python" ? await findUnreadRequirements(tree) : [];
    for (const path of unread) log.warn(`${path} is not read: it is neither at the root nor beside the entrypoint`);
    return undefined;
  }
  for (const warning of installer.warnings) log.warn(warning);
  const { store, keyPrefix, layers, egress = defaultBuildEgress } = options;
  const { registries } = tools;
  const provided = await log.step("dependencies", () =>
    provideDependencyLayer({ store, keyPrefix, ...layers, sandbox, dir, installer, runtime, egress, registries, log }),
  );
  const unpinned = installer.pins === undefined ? undefined : await describeUnpinned(tree, installer.pins);
  if (unpinned !== undefined) log.warn(unpinned);
  return provided;
}

/** Prefers the agent as one script if that loads. @returns the entry that passed */
async function check(given: EntryCheck, compiled: CompiledAgent, log: BuildLog): Promise<Entry> {
  const { whole, entry } = compiled;
  if (whole !== undefined) {
    try {
      const codeCache = await prepareFilePath(given.tree, whole.cache);
      await checkEntry({ ...given, entry: whole.entry, codeCache });
      return whole.entry;
    } catch (error) {
      if (!(error instanceof BuildFailedError)) throw error;
      // Whatever the error is, the unbundled agent decides.
      log.line("packages are loaded one by one: the agent does not load as one script");
    }
  }
  await checkEntry({ ...given, entry });
  return entry;
}

function tenantFailure(error: unknown, step: string): Failure | undefined {
  if (error instanceof BuildFailedError) return error.failure;
  if (error instanceof BundleRefusedError) return failure("build_failed", `the bundle was refused: ${error.reason}`);
  if (error instanceof RuntimeUnavailableError) return failure("runtime_unavailable", error.message);
  if (error instanceof ImageTooLargeError) return failure("build_failed", `${step}: ${error.message}`);
  return undefined;
}
