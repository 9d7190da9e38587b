// Maintains the object store: shortens chains, removes deleted objects, and sweeps unreferenced ones. One process at a
// time is enough; several are safe.

import type { Services } from "@dari/control/assembly";
import { createSquasher, deleteExpired, purgeDeleted, sweepStore } from "@dari/control/storage";
import { correctKeptCounts } from "@dari/control/tenants";
import type { StartLoop } from "./loops.ts";

const squashEveryMs = 5_000;
const purgeEveryMs = 30_000;
const sweepEveryMs = 60_000;
const countEveryMs = 60_000;

export function startStorageLoops(context: Services, start: StartLoop, isLeading: () => boolean): void {
  const squash = createSquasher(context);
  start("squash", squashEveryMs, async () => {
    if (isLeading()) log(context, "storage.squashed", await squash());
  });
  start("purge", purgeEveryMs, async () => {
    if (!isLeading()) return;
    log(context, "storage.expired", await deleteExpired(context));
    log(context, "storage.purged", await purgeDeleted(context));
  });
  start("count-kept", countEveryMs, async () => {
    if (isLeading()) await correctKeptCounts(context);
  });
  // A store is swept by its records.
  start("sweep", sweepEveryMs, async () => {
    if (!isLeading()) return;
    const { marked, deleted } = await sweepStore(context);
    log(context, "storage.swept", { marked, deleted });
  });
}

function log(context: Services, event: string, counts: Readonly<Record<string, number>> | object): void {
  if (Object.values(counts).some((count) => count > 0)) context.log.info({ ...counts }, event);
}
