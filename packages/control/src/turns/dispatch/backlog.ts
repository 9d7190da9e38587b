// Refuses messages of an organization that has too many open ones.

import type { Backlog } from "@dari/control/context";
import { dispatch, type Database } from "@dari/db";
import { AppError, limits } from "@dari/domain";

/** The minimum time between two counts of one organization, in milliseconds. */
const countedForMs = 1_000;
/** An organization is counted again once this process has accepted this part of the last count. */
const countedForPart = 1 / 32;
const retryAfterSeconds = 5;
/** Maximum number of organizations in memory. Above it, the organization that was counted longest ago is removed. */
const rememberedMax = 10_000;

interface Estimate {
  open: number;
  max: number;
  /** The last count in the database. */
  counted: number;
  /** Messages that this process has accepted since the last count. */
  admitted: number;
  countedAt: number;
}

/**
 * Counts open messages in the database, and adds what this process accepts between two counts. The cost of accepting a
 * message does not depend on the length of the backlog: a count reads at most 32 rows for each message that was
 * accepted since the last count, or follows a refusal. The limit can be exceeded by what other processes accept between
 * two counts (at most a 32nd of the limit each), and by calls during the first count. Ended messages count as open
 * until the next count, so a message can be refused for a second although the limit is no longer reached.
 */
export function createBacklog(): Backlog {
  const estimates = new Map<string, Estimate>();

  const count = async (db: Database, organizationId: string): Promise<void> => {
    const before = estimates.get(organizationId);
    const now = performance.now();
    const max = limits.backlogPerOrganization;
    const estimate = before ?? { open: 0, max, counted: 0, admitted: 0, countedAt: now };
    // Set first, so that concurrent calls use the known count.
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
