// Remembers the last turn of each session whose agent asks to keep its sandbox, with the sandbox if it is kept. The
// others cost nothing, and show whether keeping their sandboxes would have paid. The pool decides how many there are.

import type { PooledSandbox, ServingSandbox } from "./pooled-sandbox.ts";
import type { SandboxRecipe, SessionTurn } from "./recipe.ts";

/** A turn that has ended and is not recorded yet. Its owner calls one of the two. */
export interface PendingKeep {
  /** The turn is recorded, and this snapshot is now the session's head. */
  confirm(headSnapshotId: string): void;
  /** Forgets the turn and evicts its sandbox, unless the turn was confirmed. */
  discard(): void;
}

export interface LastTurns {
  readonly size: number;
  /**
   * Whether it pays to keep sandboxes of the group: at least half of its last turns found the sandbox of their session,
   * or would have found it if it had been kept.
   */
  isWorthKeeping(group: string): boolean;
  /** Remembers a turn that has ended. `rested`: its sandbox, if that is kept. */
  add(recipe: SandboxRecipe, turn: SessionTurn, rested: PooledSandbox | undefined): PendingKeep;
  /**
   * Assigns the session's sandbox to its next turn. The sandbox must have served the claim before this one, the key and
   * the session's head must be as it left them, and nothing in it may have run since. Otherwise it is evicted.
   */
  assign(recipe: SandboxRecipe, turn: SessionTurn, signal: AbortSignal): Promise<ServingSandbox | undefined>;
  /** Forgets the oldest turns and evicts their sandboxes, until at most `max` turns are left. */
  shrinkTo(max: number): void;
  /** Forgets the turns that ended longer than `keepMs` ago, and evicts sandboxes in which something ran. */
  review(keepMs: number): Promise<void>;
}

interface LastTurn extends Pick<SandboxRecipe, "key" | "group">, Pick<SessionTurn, "sessionId" | "fence"> {
  readonly endedAt: number;
  /** Undefined if it was not kept. It may have been evicted since. */
  readonly pooled: PooledSandbox | undefined;
  /** Resolves when the turn is confirmed or discarded. */
  readonly settled: PromiseWithResolvers<void>;
  /** The session's head, once the turn is confirmed. */
  head?: string;
}

/** A hit adds one to the group's score and any other turn subtracts one, between 0 and this. At 0 nothing is kept. */
const scoreMax = 8;
/** Above this number, the group whose score changed longest ago starts again with the maximum. */
const groupsMax = 1_024;

/** `evict`: ends a sandbox in the background. */
export function createLastTurns(evict: (one: PooledSandbox) => void): LastTurns {
  /** By session. The turn that ended longest ago is first. */
  const turns = new Map<string, LastTurn>();
  const { isWorthKeeping, count } = createScores();

  function forget(last: LastTurn): void {
    if (turns.get(last.sessionId) === last) turns.delete(last.sessionId);
    if (last.pooled !== undefined) evict(last.pooled);
  }

  return {
    get size() {
      return turns.size;
    },
    isWorthKeeping,
    add({ key, group }, { sessionId, fence }, pooled) {
      const former = turns.get(sessionId);
      if (former !== undefined) forget(former);
      pooled?.keep();
      const [endedAt, settled] = [performance.now(), Promise.withResolvers<void>()];
      const last: LastTurn = { key, group, sessionId, fence, endedAt, pooled, settled };
      turns.set(sessionId, last);
      return {
        confirm(headSnapshotId) {
          last.head = headSnapshotId;
          settled.resolve();
        },
        discard() {
          settled.resolve();
          if (last.head === undefined) forget(last);
        },
      };
    },
    async assign({ key }, { sessionId, fence, headSnapshotId }, signal) {
      const last = turns.get(sessionId);
      if (last === undefined) return undefined;
      turns.delete(sessionId);
      const { pooled } = last;
      // The turn may already be recorded in the database and not yet be confirmed here.
      if (pooled !== undefined) await last.settled.promise;
      const isNext = last.fence + 1 === fence && last.head === headSnapshotId && last.key === key;
      const serving = isNext && pooled?.state === "waiting" ? await pooled.assign(signal) : undefined;
      count(last, pooled === undefined ? isNext : serving !== undefined);
      if (serving === undefined) forget(last);
      return serving;
    },
    shrinkTo(max) {
      for (const last of turns.values()) {
        if (turns.size <= max) return;
        count(last, false);
        forget(last);
      }
    },
    async review(keepMs) {
      const now = performance.now();
      for (const last of turns.values()) if (now - last.endedAt > keepMs) forget(last);
      const looks = [...turns.values()].map(async (last) => {
        const { pooled, sessionId } = last;
        if (pooled?.state !== "waiting" || !(await pooled.isUnusable())) return;
        // If a turn has taken it in the meantime, `assign` has checked it.
        if (turns.get(sessionId) === last) evict(pooled);
      });
      await Promise.all(looks);
    },
  };
}

function createScores(): { count(last: LastTurn, isHit: boolean): void; isWorthKeeping(group: string): boolean } {
  /** By group. Only those below the maximum. */
  const scores = new Map<string, number>();
  const scoreOf = (group: string): number => scores.get(group) ?? scoreMax;
  return {
    isWorthKeeping: (group) => scoreOf(group) > 0,
    count({ group }, isHit) {
      const score = Math.min(scoreMax, Math.max(0, scoreOf(group) + (isHit ? 1 : -1)));
      scores.delete(group);
      if (score < scoreMax) scores.set(group, score);
      if (scores.size > groupsMax) scores.delete(scores.keys().next().value!);
    },
  };
}
