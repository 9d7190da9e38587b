// Builds published versions, a few at a time per worker, each under a lease. One organization can use all build slots
// while no other organization waits. One extra slot is for organizations without a running build on this worker, so
// that an organization does not wait for another one's builds. While memory is short, a build waits like a turn.

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
  createDependencyLayerRegistry,
  postponeBuild,
  releaseBuild,
  renewBuild,
} from "@dari/control/publishing";
import type { WorkerLook } from "@dari/control/turns";
import type { BuildClaim, BuildJob } from "@dari/db";
import { limits } from "@dari/domain";
import { loop, type Loop } from "@dari/runtime";
import { removeTree } from "@dari/native";
import { withHostUser } from "@dari/sandbox";
import type { WorkerContext } from "../context.ts";

/** A notification starts a claim at once. */
const claimEveryMs = 2_000;

/** Limits of each program of a build. The disk limit includes what an installer unpacks, and the installer's cache. */
const programLimits = {
  memoryBytes: limits.buildMemoryBytes,
  processes: 512,
  openFiles: 16_384,
  fileBytes: limits.imageUnpackedBytes,
  diskBytes: limits.buildDiskBytes,
  diskFiles: limits.buildDiskFiles,
};

export interface BuildFeed {
  /** Stops claiming builds, and releases the running builds, so that other workers can run them. */
  stop(): Promise<void>;
}

export function startBuildFeed(context: WorkerContext, look: WorkerLook): BuildFeed {
  const { turnMemory, settings } = context;
  const { workerId, buildSlots } = settings;
  const stopping = new AbortController();
  const running = new Map<Promise<void>, string>();
  // The last look may be older than the announcement of a build.
  let isAnnounced = true;
  const claimSoon = (): void => {
    isAnnounced = true;
    claiming.nudge();
  };
  const claiming: Loop = loop({
    name: "build-versions",
    everyMs: claimEveryMs,
    signal: stopping.signal,
    log: context.log,
    async runOnce(signal) {
      if (!isAnnounced && !(await look("builds"))) return;
      for (;;) {
        if (signal.aborted || turnMemory.room().turns === 0) return;
        isAnnounced = false;
        const build = await claimNext([...running.values()], buildSlots, (except) =>
          claimBuild(context, workerId, except),
        );
        if (build === undefined) return;
        const leave = turnMemory.startBuild();
        const run = runBuild(context, build, stopping.signal).finally(() => {
          leave();
          running.delete(run);
          claimSoon();
        });
        running.set(run, build.organizationId);
      }
    },
  });
  const unsubscribe = context.notifier.subscribe("build", undefined, claimSoon);
  return {
    async stop() {
      unsubscribe();
      stopping.abort();
      await claiming.done;
      await Promise.all(running.keys());
    },
  };
}

/**
 * Claims the build to start next. `organizations`: the organization of each running build. Organizations without a
 * running build are first. If one organization has all slots, and there are several slots, another organization's build
 * may start in an extra slot.
 */
export async function claimNext<Build>(
  organizations: readonly string[],
  slots: number,
  claim: (except: readonly string[]) => Promise<Build | undefined>,
): Promise<Build | undefined> {
  const busy = [...new Set(organizations)];
  const isFull = organizations.length >= slots;
  const isHeldByOne = busy.length === 1 && organizations.length === slots && slots > 1;
  if (isFull && !isHeldByOne) return undefined;
  const first = await claim(busy);
  return first !== undefined || isFull || busy.length === 0 ? first : await claim([]);
}

async function runBuild(context: WorkerContext, build: BuildClaim & BuildJob, stop: AbortSignal): Promise<void> {
  const workDir = join(context.settings.workDir, `build-${build.versionId}-${build.fence}`);
  const lost = new AbortController();
  const signal = AbortSignal.any([stop, lost.signal]);
  const renewal = setInterval(() => void keepBuild(context, build, lost), buildLeaseMs / 3);
  const log = createBuildLog(context, build);
  const startedAt = performance.now();
  try {
    const result = await buildVersion(context, build, workDir, signal, log);
    if (stop.aborted) await releaseBuild(context, build);
    else if (!lost.signal.aborted) await record(context, build, result, { log, startedAt });
  } catch (error) {
    context.log.error({ err: error, version: build.versionId }, "build.step_failed");
    await (stop.aborted ? releaseBuild(context, build) : postponeBuild(context, build)).catch(() => undefined);
  } finally {
    clearInterval(renewal);
    await removeTree(workDir).catch((err: unknown) => context.log.error({ err, workDir }, "build.directory_left"));
  }
}

/** Builds the version. Errors of the tenant's code are a result. @throws if the platform fails */
async function buildVersion(
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
    layers: { registry: createDependencyLayerRegistry(context, build.organizationId), cache: context.images },
    runtimes: context.runtimes,
    sandboxLimits: programLimits,
    egress: context.settings.buildEgress,
    driver: withHostUser(context.driver, context.workspaces.hostUserOf?.(build.organizationId)),
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
  await log(result.ok ? "ready\n" : "failed\n");
  await finishBuild(
    context,
    build,
    result.ok ? { image: result.image, warnings: result.warnings } : { failure: result.failure, warnings: [] },
  );
  const ms = Math.round(performance.now() - startedAt);
  context.log.info({ org: build.organizationId, version: build.versionId, ok: result.ok, ms }, "build.finished");
  // Unpacks the image for the first turn and the next build. If this fails, the turn or build reports the error.
  if (result.ok) {
    void context.images.ensure(result.image).then(
      (lease) => lease.release(),
      () => undefined,
    );
  }
}

async function keepBuild(context: WorkerContext, build: BuildClaim, lost: AbortController): Promise<void> {
  // While the database is unavailable, assume that the build is held. Its lease decides once the database is back.
  const held = await renewBuild(context, build).catch(() => true);
  if (!held) lost.abort(new Error("the lease of the build expired, and another worker has claimed the build"));
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
