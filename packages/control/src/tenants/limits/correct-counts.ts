// Compares the stored totals of organizations with a quota with what they really store.

import { correctCount, listCountsToCorrect, objects, type CountKey, type Database } from "@dari/db";
import type { Log } from "@dari/domain";

/** How often each total is checked, in milliseconds. */
const everyMs = 3_600_000;
const perPass = 10;

const cursorName = "kept_counts";

/**
 * Runs one bounded pass, which continues where the last one ended. Returns how many totals were started or corrected.
 * Each correction is a fault, and is logged. A total that cannot be checked is logged too, and comes last in the next
 * round.
 */
export async function correctKeptCounts({ db, log }: { readonly db: Database; readonly log: Log }): Promise<number> {
  const after = placeOf(await objects.findCursor(db, cursorName));
  const due = await listCountsToCorrect(db, { everyMs, after, limit: perPass });
  let corrected = 0;
  for (const place of due) {
    try {
      if (await correctOne({ db, log }, place)) corrected += 1;
    } catch (err) {
      log.warn({ err, org: place.organizationId, kind: place.kind }, "quota.count_failed");
    }
  }
  const last = due.length < perPass ? undefined : due.at(-1);
  await objects.setCursor(db, cursorName, last && `${last.organizationId}/${last.kind}`);
  return corrected;
}

async function correctOne(
  { db, log }: { readonly db: Database; readonly log: Log },
  place: CountKey,
): Promise<boolean> {
  const found = await correctCount(db, place);
  if (found === undefined) return false;
  const { organizationId, kind, was, now } = found;
  if (was !== null) log.warn({ org: organizationId, kind, was, now }, "quota.count_corrected");
  return true;
}

function placeOf(cursor: string | undefined): CountKey | undefined {
  const [organizationId, kind] = (cursor ?? "").split("/") as [string, CountKey["kind"]];
  return organizationId === "" ? undefined : { organizationId, kind };
}
