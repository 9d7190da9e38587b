// Whether the API may send a session it just made ready straight to a worker, past the dispatcher's tick.

import { dispatch, type Database } from "@dari/db";
import type { Admission } from "@dari/domain";

const freshMs = 250;
const staleMs = 1_000;

/**
 * Keeps a view of the fleet that is at most a second old, refreshed in the background while it is asked for. The view
 * only decides who delivers: a wrong answer costs a short queue, never a turn.
 */
export function createAdmission(db: Database, options: { workerSeenWithinMs: number }): Admission {
  let free = 0;
  let backlog = true;
  let readAt = 0;
  let reading = false;

  const refresh = async (): Promise<void> => {
    reading = true;
    try {
      const [load, ready] = await Promise.all([
        dispatch.getFleetLoad(db, options.workerSeenWithinMs),
        dispatch.listReadyOrganizations(db),
      ]);
      free = load.slots - load.inFlight;
      backlog = ready.length > 0;
      readAt = performance.now();
    } catch {
      free = 0;
    } finally {
      reading = false;
    }
  };

  return {
    mayDispatch() {
      const age = performance.now() - readAt;
      if (age > freshMs && !reading) void refresh();
      if (age > staleMs || backlog || free <= 0) return false;
      free -= 1;
      return true;
    },
  };
}
