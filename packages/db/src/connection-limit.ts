// Limits how many connections of a pool one organization holds, so that its slow statements delay only its own calls.
// Only counts: the pool has the connections.

/** Nothing was sent, so a retry can succeed. The code is that of an unavailable lock. */
export class ConnectionLimitError extends Error {
  override readonly name = "ConnectionLimitError";
  readonly code = "55P03";
}

export interface ConnectionLimit {
  /**
   * Resolves with the release function once a connection is free, in the order of the calls. Calls with `ahead` go
   * before the others, but get only every second connection while both wait, so that neither starves.
   * @throws ConnectionLimitError if none is free in time.
   */
  acquire(organizationId: string, ahead?: boolean): Promise<() => void>;
}

interface Standing {
  held: number;
  readonly waiting: Set<() => void>;
  readonly waitingAhead: Set<() => void>;
  /** Whether the last waiting call that got a connection used `ahead`. */
  wasAhead: boolean;
}

/** `max`: concurrent connections of one organization. `waitMs`: how long a call waits for one. */
export function createConnectionLimit(max: number, waitMs: number): ConnectionLimit {
  const standings = new Map<string, Standing>();
  const leave = (organizationId: string, standing: Standing): void => {
    const { waiting, waitingAhead } = standing;
    standing.wasAhead = waitingAhead.size > 0 && !(standing.wasAhead && waiting.size > 0);
    const [next] = standing.wasAhead ? waitingAhead : waiting;
    // The next call takes over this connection, so `held` stays.
    if (next !== undefined) return next();
    standing.held -= 1;
    if (standing.held === 0) standings.delete(organizationId);
  };
  return {
    async acquire(organizationId, ahead = false) {
      const standing = standings.get(organizationId) ?? newStanding();
      standings.set(organizationId, standing);
      if (standing.held < max) standing.held += 1;
      else await waitIn(ahead ? standing.waitingAhead : standing.waiting, waitMs);
      return () => leave(organizationId, standing);
    },
  };
}

function newStanding(): Standing {
  return { held: 0, waiting: new Set(), waitingAhead: new Set(), wasAhead: false };
}

function waitIn(waiting: Set<() => void>, waitMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      waiting.delete(take);
      reject(new ConnectionLimitError("the organization's other calls hold all of its connections"));
    }, waitMs);
    const take = (): void => {
      clearTimeout(timer);
      waiting.delete(take);
      resolve();
    };
    waiting.add(take);
  });
}
