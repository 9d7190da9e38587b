// How a worker claims, renews and finishes the build of a version.

import type { ImageRef } from "@dari/bundles";
import { type BuildClaim, type BuildJob, builds, type Database, retryThroughOutage } from "@dari/db";
import { limits, type Failure, type Log, type Notifier } from "@dari/domain";
import { settleBuildWaiters } from "./settle-build-waiters.ts";

export interface BuildContext {
  readonly db: Database;
  readonly notifier: Notifier;
  readonly log: Log;
}

/** If a build's worker dies, another one takes the build after this time, in milliseconds. */
export const buildLeaseMs = 30_000;
/** Between attempts of a build that the platform failed to run, in milliseconds. */
const retryAfterMs = 5_000;

/** Claims the build that has waited longest, of organizations that are not in `except`. */
export async function claimBuild(
  context: BuildContext,
  workerId: string,
  except: readonly string[] = [],
): Promise<(BuildClaim & BuildJob) | undefined> {
  const lease = { leaseMs: buildLeaseMs, lossesMax: limits.buildLossesMax };
  const claim = await builds.claimBuildIfAny(context.db, workerId, { ...lease, except });
  if (claim === undefined) return undefined;
  return { ...claim, ...(await builds.getBuildJob(context.db, claim.versionId)) };
}

/** Returns false if another worker has the build. Then stop it. */
export function renewBuild(context: BuildContext, claim: BuildClaim): Promise<boolean> {
  return builds.renewBuildIfHeld(context.db, claim, buildLeaseMs);
}

/** Releases the build at shutdown. */
export async function releaseBuild(context: BuildContext, claim: BuildClaim): Promise<void> {
  await retryThroughOutage(context, () => builds.releaseBuildIfHeld(context.db, claim));
  context.notifier.notify("build", claim.versionId);
}

/** Releases a build that the platform failed to run. It is tried again, up to a limit. */
export async function postponeBuild(context: BuildContext, claim: BuildClaim): Promise<void> {
  await retryThroughOutage(context, () => builds.releaseBuildIfHeld(context.db, claim, { waitMs: retryAfterMs }));
}

/** Appends to the log that `dari deploy` shows. Above the limit, the rest is dropped, and the log says so. */
export function createBuildLog(context: BuildContext, claim: BuildClaim): (text: string) => Promise<void> {
  let written = 0;
  let tail = Promise.resolve();
  return (text) => {
    if (written > limits.buildLogBytes) return tail;
    written += Buffer.byteLength(text);
    const line = written > limits.buildLogBytes ? "… the log is longer than the limit; the rest is dropped\n" : text;
    tail = tail
      .then(() => builds.appendBuildLogIfHeld(context.db, claim, line))
      .catch((error: unknown) => context.log.warn({ err: error, version: claim.versionId }, "build.log_lost"))
      .then(() => context.notifier.notify("build", claim.versionId));
    return tail;
  };
}

/** Records the end, activates the version if the activation rule allows it, and releases waiting sessions. */
export async function finishBuild(
  context: BuildContext,
  claim: BuildClaim,
  result: { image?: ImageRef; failure?: Failure; warnings: readonly string[] },
): Promise<boolean> {
  const held = await retryThroughOutage(context, () => builds.finishBuildIfHeld(context.db, claim, result));
  if (held) await settleBuildWaiters(context);
  context.notifier.notify("build", claim.versionId);
  return held;
}
