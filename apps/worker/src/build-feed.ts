// Builds published versions, one at a time per worker, under a lease of their own.

import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { buildImage } from "@dari/builder";
import type { Manifest } from "@dari/contract";
import {
  buildLeaseMs,
  claimBuild,
  createBuildLog,
  finishBuild,
  layerRegistryOf,
  postponeBuild,
  releaseBuild,
  renewBuild,
  type BuildClaim,
  type BuildJob,
} from "@dari/control";
import { loop, type Loop } from "@dari/runtime";
import { removeTree } from "@dari/sandbox";
import type { WorkerContext } from "./context.ts";

const lookEveryMs = 1_000;

/** Of each program of a build: an installer unpacks much, and keeps its cache beside it. */
const buildLimits = {
  memoryBytes: 4 * 1024 ** 3,
  processes: 512,
  openFiles: 16_384,
  fileBytes: 2 * 1024 ** 3,
  tmpBytes: 1024 ** 3,
  diskBytes: 12 * 1024 ** 3,
  diskFiles: 1_000_000,
};

export interface BuildFeed {
  /** Takes no more builds; the one that runs is given back. */
  stop(): Promise<void>;
}

export function startBuildFeed(context: WorkerContext): BuildFeed {
  const stopping = new AbortController();
  const looking: Loop = loop({
    name: "build-versions",
    everyMs: lookEveryMs,
    signal: stopping.signal,
    log: context.log,
    async runOnce(signal) {
      for (;;) {
        const build = signal.aborted ? undefined : await claimBuild(context, context.settings.workerId);
        if (build === undefined) return;
        await runBuild(context, build, signal);
      }
    },
  });
  const unsubscribe = context.notifier.subscribe("build", undefined, () => looking.nudge());
  return {
    async stop() {
      unsubscribe();
      stopping.abort();
      await looking.done;
    },
  };
}

async function runBuild(context: WorkerContext, build: BuildClaim & BuildJob, stop: AbortSignal): Promise<void> {
  const workDir = join(context.settings.workDir, `build-${build.versionId}-${build.fence}`);
  const lost = new AbortController();
  const signal = AbortSignal.any([stop, lost.signal]);
  const renewal = setInterval(() => void keepBuild(context, build, lost), buildLeaseMs / 3);
  const log = createBuildLog(context, build);
  const startedAt = performance.now();
  try {
    const result = await attemptBuild(context, build, workDir, signal, log);
    if (stop.aborted) await releaseBuild(context, build);
    else if (!lost.signal.aborted) await record(context, build, result, { log, startedAt });
  } catch (error) {
    context.log.error({ err: error, version: build.versionId }, "build.step_failed");
    await (stop.aborted ? releaseBuild(context, build) : postponeBuild(context, build)).catch(() => undefined);
  } finally {
    clearInterval(renewal);
    await removeTree(workDir);
  }
}

/** @throws when the platform could not carry it out; the tenant's own faults are a result. */
async function attemptBuild(
  context: WorkerContext,
  build: BuildClaim & BuildJob,
  workDir: string,
  signal: AbortSignal,
  log: (text: string) => Promise<void>,
): ReturnType<typeof buildImage> {
  await mkdir(workDir, { recursive: true, mode: 0o700 });
  const bundleFile = await fetchBundle(context, build, workDir);
  return buildImage({
    store: context.workspaces.blobs,
    bundleFile,
    manifest: build.manifest as Manifest,
    keyPrefix: build.organizationId,
    layers: { registry: layerRegistryOf(context, build.organizationId), cache: context.images },
    bundles: context.bundles,
    runtimes: context.runtimes,
    sandboxLimits: buildLimits,
    egress: context.settings.buildEgress,
    driver: context.driver,
    workDir,
    log: (text) => void log(text),
    signal,
  });
}

async function record(
  context: WorkerContext,
  build: BuildClaim & BuildJob,
  result: Awaited<ReturnType<typeof buildImage>>,
  { log, startedAt }: { readonly log: (text: string) => Promise<void>; readonly startedAt: number },
): Promise<void> {
  await log(result.ok ? "ready\n" : `failed: ${result.failure.message}\n`);
  await finishBuild(
    context,
    build,
    result.ok ? { image: result.image, warnings: result.warnings } : { failure: result.failure, warnings: [] },
  );
  const ms = Math.round(performance.now() - startedAt);
  context.log.info({ org: build.organizationId, version: build.versionId, ok: result.ok, ms }, "build.finished");
  // The first turn and the next build find it unpacked here. Whoever really needs it meets an error again.
  if (result.ok) {
    void context.images.ensure(result.image).then(
      (lease) => lease.release(),
      () => undefined,
    );
  }
}

async function keepBuild(context: WorkerContext, build: BuildClaim, lost: AbortController): Promise<void> {
  // A database that is away decides nothing; the lease does when it is back.
  const held = await renewBuild(context, build).catch(() => true);
  if (!held) lost.abort(new Error("another worker has the build"));
}

async function fetchBundle(context: WorkerContext, build: BuildJob, workDir: string): Promise<string> {
  const file = join(workDir, "bundle.tar.gz");
  const hash = createHash("sha256");
  const source = await context.workspaces.blobs.get(build.bundleKey);
  source.on("data", (chunk: Buffer) => hash.update(chunk));
  await pipeline(source, createWriteStream(file, { flags: "wx", mode: 0o600 }));
  if (hash.digest("hex") !== build.bundleSha256) throw new Error("the stored bundle is damaged");
  return file;
}
