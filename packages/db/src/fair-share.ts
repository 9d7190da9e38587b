// How many connections of a pool one organization has at once: whose statements wait long, for a lock or for a scan,
// makes its own calls wait and leaves connections to the others. Knows no connection.

/** Has a passing error's code: nothing was sent, and the same may work a moment later. */
export class ShareBusyError extends Error {
  override readonly name = "ShareBusyError";
  readonly code = "55P03";
}

export interface FairShare {
  /**
   * The way out, once there is room; in the order of asking, but for those that go `ahead` of the organization's
   * others: these are given every other room while both wait, so that nobody waits for all of them.
   * @throws ShareBusyError where there is none in time.
   */
  enter(organizationId: string, ahead?: boolean): Promise<() => void>;
}

interface Standing {
  held: number;
  readonly waiting: Set<() => void>;
  readonly waitingAhead: Set<() => void>;
  /** The last one that waited and was given room went ahead. */
  wasAhead: boolean;
}

/** `most`: of one organization at once. `waitMs`: how long one more waits. */
export function createFairShare(most: number, waitMs: number): FairShare {
  const standings = new Map<string, Standing>();
  const leave = (organizationId: string, standing: Standing): void => {
    const { waiting, waitingAhead } = standing;
    standing.wasAhead = waitingAhead.size > 0 && !(standing.wasAhead && waiting.size > 0);
    const [next] = standing.wasAhead ? waitingAhead : waiting;
    // Its room goes to who waits, and counts on.
    if (next !== undefined) return next();
    standing.held -= 1;
    if (standing.held === 0) standings.delete(organizationId);
  };
  return {
    async enter(organizationId, ahead = false) {
      const standing = standings.get(organizationId) ?? newStanding();
      standings.set(organizationId, standing);
      if (standing.held < most) standing.held += 1;
      else await roomIn(ahead ? standing.waitingAhead : standing.waiting, waitMs);
      return () => leave(organizationId, standing);
    },
  };
}

function newStanding(): Standing {
  return { held: 0, waiting: new Set(), waitingAhead: new Set(), wasAhead: false };
}

function roomIn(waiting: Set<() => void>, waitMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      waiting.delete(take);
      reject(new ShareBusyError("the organization's other calls hold all of its connections"));
    }, waitMs);
    const take = (): void => {
      clearTimeout(timer);
      waiting.delete(take);
      resolve();
    };
    waiting.add(take);
  });
}
