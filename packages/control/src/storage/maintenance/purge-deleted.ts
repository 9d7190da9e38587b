// Removes for good what was deleted: rows first, then, by the sweep, the objects that they named.

import { dependencyLayers, deviceRequests, invitations, purges, rateWindows, signIns, signInTries } from "@dari/db";
import type { StorageContext } from "./storage-context.ts";

const hourMs = 3_600_000;

export interface PurgeSettings {
  /** From a deletion to the removal of its rows. Milliseconds. */
  readonly afterMs: number;
  /** An uploaded bundle that never became ready goes after this, */
  readonly abandonedMs: number;
  /** and one that no version uses, like a layer that no build asked for, after this. Milliseconds. */
  readonly unusedMs: number;
  /** Rows of each kind in one pass. */
  readonly perPass: number;
}

export const purgeDefaults: PurgeSettings = {
  afterMs: hourMs,
  abandonedMs: 24 * hourMs,
  unusedMs: 30 * 24 * hourMs,
  perPass: 50,
};

export interface PurgeCounts {
  readonly sessions: number;
  readonly snapshots: number;
  readonly agents: number;
  readonly bundles: number;
  readonly files: number;
  readonly layers: number;
  readonly rateWindows: number;
  /** Expired sign-ins, links, invitations and devices, and counted tries. */
  readonly signIns: number;
}

/** Calls without a key can make thousands of these rows in a minute. No other row names them: a pass deletes more. */
const unauthenticatedFactor = 100;

/** One bounded pass. A session's snapshots stay while a fork builds on them or a message of one looks back at them. */
export async function purgeDeleted(
  { db }: StorageContext,
  settings: PurgeSettings = purgeDefaults,
): Promise<PurgeCounts> {
  const { afterMs, abandonedMs, unusedMs, perPass } = settings;
  return {
    sessions: await purges.purgeSessions(db, afterMs, perPass),
    snapshots: await purges.purgeSnapshots(db, perPass),
    agents: await purges.purgeAgents(db, afterMs, perPass),
    bundles: await purges.purgeSourceSnapshots(db, { afterMs: abandonedMs, unusedMs, limit: perPass }),
    files: await purges.purgeFiles(db, afterMs, perPass),
    layers: await dependencyLayers.purgeLayers(db, unusedMs, perPass),
    rateWindows: await rateWindows.purgeRateWindows(db, perPass),
    signIns:
      (await signIns.purgeSignIns(db, perPass)) +
      (await invitations.purgeInvitations(db, unusedMs, perPass)) +
      (await deviceRequests.purgeDeviceRequests(db, perPass * unauthenticatedFactor)) +
      (await signInTries.purgeTries(db, perPass * unauthenticatedFactor)),
  };
}
