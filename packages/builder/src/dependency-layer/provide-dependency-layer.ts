// Provides a build's dependencies: the existing layer of its lockfile, or one that is installed now.

import { chmod, cp, mkdir, readdir, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { BlobStore } from "@dari/blobs";
import type { DependencyLayerRef, DependencyLayerRegistry } from "@dari/bundles";
import { BuildFailedError } from "../build/build-failed.ts";
import type { BuildLog } from "../build/build-log.ts";
import { compileDependencyLayer } from "../build/compile-agent.ts";
import { installEnvironment, installNetwork, type BuildEgress } from "../build/install-network.ts";
import type { Installer } from "../build/installer.ts";
import { adviseProvidedPackages } from "../build/advise-missing-packages.ts";
import { describeEnding, runInSandbox, succeeded, type BuildSandbox } from "../build/run-in-sandbox.ts";
import type { ImageCache, ImageLease } from "../image/image-cache.ts";
import { packImage, type PackedImage } from "../image/pack-image.ts";
import { storeIfMissing } from "../image/store-if-missing.ts";
import type { Registries } from "../registries/registry-rules.ts";
import type { Runtime } from "../runtimes/runtime.ts";
import { listFilesBelow, dependencyLayerKey } from "./dependency-layer-key.ts";
import { dependencyFolders, linkDependencyLayer } from "./link-dependency-layer.ts";

export interface DependencyLayerRequest {
  readonly store: BlobStore;
  readonly keyPrefix: string;
  readonly registry: DependencyLayerRegistry;
  readonly cache: ImageCache;
  /** The build's sandbox. The layer is installed in one beside it. */
  readonly sandbox: BuildSandbox;
  readonly dir: string;
  readonly installer: Installer;
  readonly runtime: Runtime;
  readonly egress: BuildEgress;
  readonly registries: Registries;
  readonly log: BuildLog;
}

export interface LinkedDependencyLayer {
  readonly layer: DependencyLayerRef;
  /** The layer's folders, relative to the tree. */
  readonly roots: readonly string[];
}

/** Puts the layer into the build's tree. @throws BuildFailedError with the installer's last lines. */
export async function provideDependencyLayer(request: DependencyLayerRequest): Promise<LinkedDependencyLayer> {
  const { sandbox, installer, runtime, registry, cache, log } = request;
  const tree = join(sandbox.slotDir, "workspace");
  const paths = (await listFilesBelow(tree)).filter((path) => reads(installer, path));
  const today = new Date().toISOString().slice(0, 10);
  const key = await dependencyLayerKey({ root: tree, paths, installer, runtime, today });
  const slotDir = join(request.dir, "layer");
  let lease: ImageLease | undefined;
  const make = async (signal: AbortSignal): Promise<DependencyLayerRef> => {
    const made = await makeLayer({ ...request, sandbox: { ...sandbox, slotDir, signal } }, { tree, paths });
    lease = made.lease;
    return made.layer;
  };
  try {
    const layer = await registry.obtain(key, make, sandbox.signal);
    if (lease === undefined) {
      log.line("dependencies are installed already");
      lease = await cache.ensure({ digest: layer.digest, objectKey: layer.objectKey });
    }
    return { layer, roots: await linkDependencyLayer(lease.dir, tree, { seal: false }) };
  } finally {
    lease?.release();
  }
}

function reads(installer: Installer, path: string): boolean {
  return installer.reads?.some((one) => path === one || (one.endsWith("/") && path.startsWith(one))) ?? true;
}

/**
 * Adds the layer to this machine's cache before it is stored, so that the next build and the first turn find it there.
 */
async function makeLayer(
  request: DependencyLayerRequest,
  from: { tree: string; paths: readonly string[] },
): Promise<{ layer: DependencyLayerRef; lease: ImageLease }> {
  const { sandbox, installer, runtime, log, store } = request;
  const root = join(sandbox.slotDir, "workspace");
  for (const name of ["workspace", "state"]) await mkdir(join(sandbox.slotDir, name), { recursive: true });
  for (const path of from.paths) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    const text = installer.replaced?.[path];
    if (text === undefined) await cp(join(from.tree, path), join(root, path));
    else await writeFile(join(root, path), text);
  }
  log.line(`${installer.name} …`);
  await log.step(installer.name, async () => {
    const { network, refused } = await installNetwork(request);
    const ending = await runInSandbox(sandbox, { ...installer, network, env: installEnvironment(installer, network) });
    if (succeeded(ending)) return;
    const failed = `${installer.name} failed with ${describeEnding(ending, sandbox)}`;
    const advice = [...explainRefusals(refused), ...adviseProvidedPackages(ending.lastLines.join("\n"))];
    throw new BuildFailedError([failed, ...ending.lastLines, ...advice].join("\n"));
  });
  // First remove links out of the tree: an installer's code may have replaced its folders by links.
  await pruneToLayer(root);
  for (const path of installer.leftovers) await rm(join(root, path), { force: true });
  if (runtime.language === "python") await compileDependencyLayer(sandbox, runtime);
  const file = join(sandbox.slotDir, "layer.tar.zst");
  const pack = (dir: string): Promise<PackedImage> => packImage({ dir, file, takeOver: true, signal: sandbox.signal });
  const { packed, lease } = await log.step("pack dependencies", () => request.cache.adopt(root, pack));
  for (const omitted of packed.omitted) log.warn(`left out of the dependencies: ${omitted}`);
  log.line(`dependencies: ${packed.entries} entries, ${packed.sizeBytes} bytes packed`);
  try {
    const place = `${request.keyPrefix}/layers/${packed.digest}`;
    const objectKey = await log.step("store dependencies", () => storeIfMissing(store, place, file));
    return { layer: { digest: packed.digest, objectKey }, lease };
  } catch (error) {
    lease.release();
    throw error;
  }
}

function explainRefusals(refused: ReadonlySet<string>): string[] {
  if (refused.size === 0) return [];
  const rule = "builds reach only the package registries of this installation, whose operator can allow others";
  return [`${[...refused].join(", ")} was refused: ${rule} (DARI_BUILD_EGRESS_ALLOW)`];
}

/** Removes everything but a layer's folders and their parents. Packing removes directories with invalid names. */
async function pruneToLayer(dir: string): Promise<void> {
  await chmod(dir, 0o755); // An installer's code may have made it unreadable.
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory() && (dependencyFolders.includes(entry.name) || entry.name.includes("\uFFFD"))) continue;
    if (!entry.isDirectory()) {
      await rm(path, { force: true });
      continue;
    }
    await pruneToLayer(path);
    if ((await readdir(path)).length === 0) await rmdir(path);
  }
}
