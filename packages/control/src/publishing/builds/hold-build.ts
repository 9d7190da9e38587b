// How a worker takes, keeps and ends the build of a version.

import type { ImageRef } from "@dari/bundles";
import { type BuildClaim, type BuildJob, builds, type Database, retryThroughOutage } from "@dari/db";
import { limits, type Failure, type Log, type Notifier } from "@dari/domain";
import { settleBuildWaiters } from "./settle-build-waiters.ts";

export interface BuildContext {
  readonly db: Database;
  readonly notifier: Notifier;
  readonly log: Log;
}

/** A build whose worker died is taken up by another after this. Milliseconds. */
export const buildLeaseMs = 30_000;
/** Between tries of a build that the platform could not carry out. Milliseconds. */
const retryAfterMs = 5_000;

/** Takes the build that has waited longest, of other organizations than `except`. */
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

/** False once another worker has the build: stop it. */
export function renewBuild(context: BuildContext, claim: BuildClaim): Promise<boolean> {
  return builds.renewBuildIfHeld(context.db, claim, buildLeaseMs);
}

/** Gives the build back at shutdown. */
export async function releaseBuild(context: BuildContext, claim: BuildClaim): Promise<void> {
  await retryThroughOutage(context, () => builds.releaseBuildIfHeld(context.db, claim));
  context.notifier.notify("build", claim.versionId);
}

/** Gives a build back that the platform could not carry out: another try follows, up to a bound. */
export async function postponeBuild(context: BuildContext, claim: BuildClaim): Promise<void> {
  await retryThroughOutage(context, () => builds.releaseBuildIfHeld(context.db, claim, { waitMs: retryAfterMs }));
}

/** Adds to the log that `dari deploy` shows; past the limit the rest is dropped, and the log says so. */
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

/** Records the end, moves the agent where the activation rule lets it, and lets waiting sessions go on. */
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
