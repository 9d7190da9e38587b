// Sandboxes that have served a turn and stand still for the next turn of the same session, where its agent asks for
// that. Knows nothing of agents, nor how many may be kept: the pool of waiting sandboxes does.

import type { Logger } from "@dari/runtime";
import type { WarmRecipe } from "./pool.ts";
import type { Taken } from "./pooled-sandbox.ts";

/** Which turn of which session. */
export interface SessionTurn {
  readonly sessionId: string;
  /** Number of the turn's claim: each claim of the session has the next one, on whichever worker. */
  readonly fence: number;
  /** What the turn begins with. */
  readonly headSnapshotId: string | null;
}

/** A sandbox at rest, before it is known whether what it did is recorded. One of the two is called. */
export interface Rested {
  /** What it did is recorded, and this is the session's head now: it waits for the next turn. */
  keep(headSnapshotId: string): void;
  /** Ends it in the background, unless it was kept. */
  discard(): void;
}

export interface WarmSessions {
  readonly size: number;
  hold(recipe: WarmRecipe, turn: SessionTurn, taken: Taken): Rested;
  /**
   * The one that served the claim before this turn's, where the session's head and everything that the recipe names is
   * as it left them, and it has done nothing since. Any other one of the session is ended.
   */
  take(recipe: WarmRecipe, turn: SessionTurn): Promise<Taken | undefined>;
  end(which: (recipe: WarmRecipe) => boolean): void;
  /** Ends those that have rested for longest until no more than `max` are left. */
  makeRoom(max: number): void;
  /** Ends those that have rested for so long, in milliseconds, and those that have done something meanwhile. */
  review(idleMs: number): Promise<void>;
}

interface Entry {
  readonly recipe: WarmRecipe;
  readonly taken: Taken;
  readonly fence: number;
  readonly restedAt: number;
  /** When it was kept or ended. */
  readonly settled: PromiseWithResolvers<void>;
  /** Of the session, once it is kept. */
  head?: string;
  isEnded: boolean;
}

const restless = "it is dead, or did something while it rested";

export function createWarmSessions(o: { finish(work: Promise<void>): void; log: Logger }): WarmSessions {
  /** By session; the one that rests for longest first. */
  const entries = new Map<string, Entry>();

  function end(sessionId: string, entry: Entry, why: string): void {
    if (entries.get(sessionId) === entry) entries.delete(sessionId);
    if (entry.isEnded) return;
    entry.isEnded = true;
    entry.settled.resolve();
    o.log.debug({ session: sessionId, why }, "warm.session_ended");
    o.finish(entry.taken.end());
  }

  function endAll(which: (entry: Entry) => boolean, why: string): void {
    for (const [sessionId, entry] of entries) if (which(entry)) end(sessionId, entry, why);
  }

  return {
    get size() {
      return entries.size;
    },
    hold(recipe, { sessionId, fence }, taken) {
      const former = entries.get(sessionId);
      if (former !== undefined) end(sessionId, former, "another one has served the session");
      const settled = Promise.withResolvers<void>();
      const entry: Entry = { recipe, taken, fence, restedAt: performance.now(), settled, isEnded: false };
      entries.set(sessionId, entry);
      void taken.prepared.sandbox.exited.then(() => {
        if (entries.get(sessionId) === entry) end(sessionId, entry, "it is dead");
      });
      return {
        keep(headSnapshotId) {
          entry.head = headSnapshotId;
          settled.resolve();
        },
        discard() {
          if (entry.head === undefined) end(sessionId, entry, "its turn was not recorded");
        },
      };
    },
    async take(recipe, { sessionId, fence, headSnapshotId }) {
      const entry = entries.get(sessionId);
      if (entry === undefined) return undefined;
      entries.delete(sessionId);
      // The turn before may be recorded, and whoever recorded it not have heard of it.
      await entry.settled.promise;
      const isNext = entry.fence + 1 === fence && entry.head === headSnapshotId && entry.recipe.key === recipe.key;
      if (!entry.isEnded && isNext && !(await entry.taken.isSpoilt())) return entry.taken;
      end(sessionId, entry, isNext ? restless : "the session has changed");
      return undefined;
    },
    end: (which) => endAll(({ recipe }) => which(recipe), "it is not wanted any more"),
    makeRoom(max) {
      for (const [sessionId, entry] of entries) {
        if (entries.size <= max) return;
        end(sessionId, entry, "others need its room");
      }
    },
    async review(idleMs) {
      endAll(({ restedAt }) => performance.now() - restedAt > idleMs, "no turn came");
      const looks = [...entries.values()].map(async (entry) => ((await entry.taken.isSpoilt()) ? entry : undefined));
      const spoilt = new Set(await Promise.all(looks));
      // Not one that a turn has taken meanwhile: it has looked for itself.
      endAll((entry) => spoilt.has(entry), restless);
    },
  };
}
