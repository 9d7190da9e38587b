// Removes deleted rows permanently. The sweep then removes the objects that they referred to.

import {
  connectedApps,
  dependencyLayers,
  deviceRequests,
  invitations,
  purges,
  rateWindows,
  signIns,
  signInTries,
} from "@dari/db";
import type { StorageContext } from "./storage-context.ts";

const hourMs = 3_600_000;

export interface PurgeSettings {
  /** From a deletion to the removal of its rows, in milliseconds. */
  readonly afterMs: number;
  /** An uploaded bundle that never became ready is removed after this time, in milliseconds. */
  readonly abandonedMs: number;
  /** An unused bundle or layer is removed after this time, in milliseconds. */
  readonly unusedMs: number;
  /** An unused version of `dari dev` is removed after this time, in milliseconds. */
  readonly devVersionsMs: number;
  /** Rows of each kind per pass. */
  readonly perPass: number;
}

export const purgeDefaults: PurgeSettings = {
  afterMs: hourMs,
  abandonedMs: 24 * hourMs,
  unusedMs: 30 * 24 * hourMs,
  devVersionsMs: 7 * 24 * hourMs,
  perPass: 50,
};

export interface PurgeCounts {
  readonly sessions: number;
  readonly snapshots: number;
  readonly agents: number;
  readonly devVersions: number;
  readonly bundles: number;
  readonly files: number;
  readonly layers: number;
  readonly rateWindows: number;
  /** Expired sign-ins, links, invitations, device requests and connected apps, and counted attempts. */
  readonly signIns: number;
}

/**
 * Calls without a key can create thousands of these rows per minute. No other row refers to them, so a pass deletes
 * more of them.
 */
const unauthenticatedFactor = 100;

/**
 * Runs one bounded pass. A session's snapshots stay while a fork builds on them, or a fork's message refers to them.
 */
export async function purgeDeleted(
  { db }: StorageContext,
  settings: PurgeSettings = purgeDefaults,
): Promise<PurgeCounts> {
  const { afterMs, abandonedMs, unusedMs, devVersionsMs, perPass } = settings;
  return {
    sessions: await purges.purgeSessions(db, afterMs, perPass),
    snapshots: await purges.purgeSnapshots(db, perPass),
    agents: await purges.purgeAgents(db, afterMs, perPass),
    devVersions: await purges.purgeDevVersions(db, devVersionsMs, perPass),
    bundles: await purges.purgeSourceSnapshots(db, { afterMs: abandonedMs, unusedMs, limit: perPass }),
    files: await purges.purgeFiles(db, afterMs, perPass),
    layers: await dependencyLayers.purgeLayers(db, unusedMs, perPass),
    rateWindows: await rateWindows.purgeRateWindows(db, perPass),
    signIns:
      (await signIns.purgeSignIns(db, perPass)) +
      (await invitations.purgeInvitations(db, unusedMs, perPass)) +
      (await connectedApps.purgeConnectedApps(db, perPass * unauthenticatedFactor)) +
      (await deviceRequests.purgeDeviceRequests(db, perPass * unauthenticatedFactor)) +
      (await signInTries.purgeTries(db, perPass * unauthenticatedFactor)),
  };
}
