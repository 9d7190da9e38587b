// Refuses messages of an organization that has too many open ones, so that none fills the database for all.

import { dispatch, type Database } from "@dari/db";
import { AppError, limits } from "@dari/domain";

export interface Backlog {
  /**
   * Counts one message in, before it is accepted.
   * @throws AppError `limit_exceeded` when the organization is at its bound.
   */
  admit(db: Database, organizationId: string): Promise<void>;
}

const countedForMs = 1_000;
const retryAfterSeconds = 5;
/** Organizations remembered; past it the one counted longest ago is counted again when it sends. */
const rememberedMax = 10_000;

interface Estimate {
  open: number;
  max: number;
  countedAt: number;
}

/**
 * Counts in the database at most once a second per organization and adds what this process admits meanwhile, so that
 * accepting costs the same however long the backlog is. The bound is soft by what that misses: what other processes
 * admit within the second and calls that arrive while the first count is under way pass it; what ended within the
 * second is not yet seen, so room that has just come free may be refused for as long.
 */
export function createBacklog(): Backlog {
  const estimates = new Map<string, Estimate>();

  const count = async (db: Database, organizationId: string): Promise<void> => {
    const before = estimates.get(organizationId);
    const now = performance.now();
    const estimate = before ?? { open: 0, max: limits.backlogPerOrganization, countedAt: now };
    // Set first: calls that come meanwhile go by what is known.
    estimate.countedAt = now;
    estimates.delete(organizationId);
    estimates.set(organizationId, estimate);
    for (const oldest of estimates.keys()) {
      if (estimates.size <= rememberedMax) break;
      estimates.delete(oldest);
    }
    const counted = await dispatch.countOpenMessages(db, organizationId, limits.backlogPerOrganization);
    if (counted !== undefined) Object.assign(estimate, counted);
  };

  return {
    async admit(db, organizationId) {
      const known = estimates.get(organizationId);
      if (known === undefined || performance.now() - known.countedAt > countedForMs) await count(db, organizationId);
      const estimate = estimates.get(organizationId);
      if (estimate === undefined) return;
      if (estimate.open >= estimate.max) {
        throw new AppError(
          "limit_exceeded",
          `the organization has ${estimate.max} messages that wait or run, which is its limit; wait for some to end`,
          { retryAfterSeconds },
        );
      }
      estimate.open += 1;
    },
  };
}
