// Refuses messages of an organization that has too many open ones, so that none fills the database for all.

import type { Backlog } from "@dari/control/context";
import { dispatch, type Database } from "@dari/db";
import { AppError, limits } from "@dari/domain";

/** After a count: the least time to the next one, and how much of it must have come in since. */
const countedForMs = 1_000;
const countedForPart = 1 / 32;
const retryAfterSeconds = 5;
/** Organizations remembered; past it the one counted longest ago is counted again when it sends. */
const rememberedMax = 10_000;

interface Estimate {
  open: number;
  max: number;
  /** What the database said last, and what was admitted here since. */
  counted: number;
  admitted: number;
  countedAt: number;
}

/**
 * Counts in the database and adds what this process admits meanwhile, so that accepting costs the same however long the
 * backlog is: a count reads no more than 32 rows for each message admitted since the one before, or follows a refusal.
 * The bound is soft by what that misses: what other processes admit meanwhile, a 32nd of the bound each at most, and
 * calls that arrive while the first count is under way pass it; what ended is not seen until the next count, so room
 * that has just come free may be refused for a second.
 */
export function createBacklog(): Backlog {
  const estimates = new Map<string, Estimate>();

  const count = async (db: Database, organizationId: string): Promise<void> => {
    const before = estimates.get(organizationId);
    const now = performance.now();
    const max = limits.backlogPerOrganization;
    const estimate = before ?? { open: 0, max, counted: 0, admitted: 0, countedAt: now };
    // Set first: calls that come meanwhile go by what is known.
    estimate.countedAt = now;
    estimates.delete(organizationId);
    estimates.set(organizationId, estimate);
    for (const oldest of estimates.keys()) {
      if (estimates.size <= rememberedMax) break;
      estimates.delete(oldest);
    }
    const counted = await dispatch.countOpenMessages(db, organizationId, max);
    if (counted !== undefined) Object.assign(estimate, counted, { counted: counted.open, admitted: 0 });
  };

  return {
    async admit(db, organizationId, more = 1) {
      if (isStale(estimates.get(organizationId), more)) await count(db, organizationId);
      const estimate = estimates.get(organizationId);
      if (estimate === undefined) return;
      if (estimate.open + more > estimate.max) {
        const reached = more === 1 ? `${estimate.max}` : `${estimate.open} of ${estimate.max}`;
        const added = more === 1 ? "" : `, and this request adds ${more}`;
        const detail = `backlog limit reached: ${reached} open messages${added}; retry when some have ended`;
        throw new AppError("limit_exceeded", detail, { retryAfterSeconds });
      }
      estimate.open += more;
      estimate.admitted += more;
    },
  };
}

function isStale(estimate: Estimate | undefined, more: number): boolean {
  if (estimate === undefined) return true;
  if (performance.now() - estimate.countedAt <= countedForMs) return false;
  return estimate.open + more > estimate.max || estimate.admitted >= estimate.counted * countedForPart;
}
