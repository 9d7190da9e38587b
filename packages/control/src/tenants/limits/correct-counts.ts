// Holds what organizations with a bound are counted to keep against what they keep.

import { correctCount, listCountsDue, objects, type CountPlace, type Database } from "@dari/db";
import type { Log } from "@dari/domain";

/** Each count is looked at so often. Milliseconds. */
const everyMs = 3_600_000;
const perPass = 10;

const cursorName = "kept_counts";

/**
 * One bounded pass, which goes on where the one before ended. Answers how many counts were begun or put right; each of
 * the latter is a fault, and is logged, as is a count that fails: it comes again when all others have been looked at.
 */
export async function correctKeptCounts({ db, log }: { readonly db: Database; readonly log: Log }): Promise<number> {
  const after = placeOf(await objects.findCursor(db, cursorName));
  const due = await listCountsDue(db, { everyMs, after, limit: perPass });
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
  place: CountPlace,
): Promise<boolean> {
  const found = await correctCount(db, place);
  if (found === undefined) return false;
  const { organizationId, kind, was, now } = found;
  if (was !== null) log.warn({ org: organizationId, kind, was, now }, "quota.count_corrected");
  return true;
}

function placeOf(cursor: string | undefined): CountPlace | undefined {
  const [organizationId, kind] = (cursor ?? "").split("/") as [string, CountPlace["kind"]];
  return organizationId === "" ? undefined : { organizationId, kind };
}
