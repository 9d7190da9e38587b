// Coordinates an organization's builds that need the same dependencies, so that only one installs them.

import { randomUUID } from "node:crypto";
import type { DependencyLayerRef, DependencyLayerRegistry } from "@dari/bundles";
import { dependencyLayers, type DependencyLayerClaimant, retryThroughOutage } from "@dari/db";
import { waitForNotification } from "./wait-for-notification.ts";
import { buildLeaseMs, type BuildContext } from "./hold-build.ts";

/** How often a build looks for another's layer: a notification can be lost, and a holder can die. */
const lookEveryMs = 500;

/**
 * If a holder dies, a waiting build takes over after the lease (`buildLeaseMs`). If an installation fails, the next
 * build tries, because its result can differ.
 */
export function createDependencyLayerRegistry(context: BuildContext, organizationId: string): DependencyLayerRegistry {
  return {
    async obtain(key, make, signal) {
      const place = { organizationId, key, holder: randomUUID() };
      for (;;) {
        signal.throwIfAborted();
        const claim = await dependencyLayers.claimLayerIfMissing(context.db, place, buildLeaseMs);
        if (typeof claim === "object") return claim.layer as DependencyLayerRef;
        if (claim === "claimed") return makeLayer(context, place, make, signal);
        await waitForNotification(context.notifier, "build", key, { timeoutMs: lookEveryMs, signal });
      }
    },
  };
}

async function makeLayer(
  context: BuildContext,
  place: DependencyLayerClaimant,
  make: (signal: AbortSignal) => Promise<DependencyLayerRef>,
  signal: AbortSignal,
): Promise<DependencyLayerRef> {
  const lost = new AbortController();
  const renew = async (): Promise<void> => {
    // Ignore an unavailable database: the lease decides once it is back.
    const held = await dependencyLayers.renewLayerIfHeld(context.db, place, buildLeaseMs).catch(() => true);
    if (!held) lost.abort(new Error("another build makes these dependencies"));
  };
  const renewal = setInterval(() => void renew(), buildLeaseMs / 3);
  try {
    const layer = await make(AbortSignal.any([signal, lost.signal]));
    await retryThroughOutage(context, () => dependencyLayers.finishLayerIfHeld(context.db, place, layer));
    return layer;
  } catch (error) {
    await dependencyLayers.releaseLayerIfHeld(context.db, place).catch(() => undefined);
    throw error;
  } finally {
    clearInterval(renewal);
    context.notifier.notify("build", place.key);
  }
}
