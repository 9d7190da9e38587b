// Sandboxes that are kept between two turns of one session, if their agent asks for that. The pool decides how many.

import type { Logger } from "@dari/runtime";
import type { Background } from "./background.ts";
import type { PooledSandbox, ServingSandbox } from "./pooled-sandbox.ts";
import type { SandboxRecipe, SessionTurn } from "./recipe.ts";

/** A sandbox at rest whose turn is not recorded yet. Its owner calls one of the two. */
export interface PendingKeep {
  /** The turn is recorded, and this snapshot is now the session's head. */
  confirm(headSnapshotId: string): void;
  /** Ends the sandbox in the background, unless the turn was confirmed. */
  discard(): void;
}

export interface KeptSandboxes {
  readonly size: number;
  add(pooled: PooledSandbox, turn: SessionTurn): PendingKeep;
  /**
   * Assigns the session's sandbox to its next turn. The sandbox must have served the claim before this one, the key and
   * the session's head must be as it left them, and nothing in it may have run since. Otherwise it is ended.
   */
  assign(recipe: SandboxRecipe, turn: SessionTurn): Promise<ServingSandbox | undefined>;
  endWhere(matches: (recipe: SandboxRecipe) => boolean): void;
  /** Ends the sandboxes that were kept for longest, until at most `max` are left. */
  shrinkTo(max: number): void;
  /** Ends the sandboxes that were kept for longer than `keepMs`, and those in which something ran. */
  review(keepMs: number): Promise<void>;
}

interface Entry {
  readonly pooled: PooledSandbox;
  readonly fence: number;
  readonly keptAt: number;
  /** Resolves when the turn is confirmed, or the sandbox ended. */
  readonly settled: PromiseWithResolvers<void>;
  /** The session's head, once the turn is confirmed. */
  head?: string;
}

const unusableReason = "it is dead, or something in it ran between the turns";
const neverAborts = new AbortController().signal;

export function createKeptSandboxes({ background, log }: { background: Background; log: Logger }): KeptSandboxes {
  /** By session. The sandbox that was kept for longest is first. */
  const entries = new Map<string, Entry>();

  function end(sessionId: string, { pooled, settled }: Entry, why: string): void {
    if (entries.get(sessionId)?.pooled === pooled) entries.delete(sessionId);
    settled.resolve();
    if (pooled.state === "ending" || pooled.state === "ended") return;
    log.debug({ session: sessionId, why }, "warm.session_ended");
    background.run(pooled.end());
  }

  function endAll(matches: (entry: Entry) => boolean, why: string): void {
    for (const [sessionId, entry] of entries) if (matches(entry)) end(sessionId, entry, why);
  }

  return {
    get size() {
      return entries.size;
    },
    add(pooled, { sessionId, fence }) {
      const former = entries.get(sessionId);
      if (former !== undefined) end(sessionId, former, "another sandbox has served the session");
      pooled.keep();
      const entry: Entry = { pooled, fence, keptAt: performance.now(), settled: Promise.withResolvers<void>() };
      entries.set(sessionId, entry);
      void pooled.started.then((started) =>
        started?.sandbox.exited.then(() => {
          if (entries.get(sessionId) === entry) end(sessionId, entry, "it is dead");
        }),
      );
      return {
        confirm(headSnapshotId) {
          entry.head = headSnapshotId;
          entry.settled.resolve();
        },
        discard() {
          if (entry.head === undefined) end(sessionId, entry, "its turn was not recorded");
        },
      };
    },
    async assign(recipe, { sessionId, fence, headSnapshotId }) {
      const entry = entries.get(sessionId);
      if (entry === undefined) return undefined;
      entries.delete(sessionId);
      // The turn may already be recorded in the database and not yet be confirmed here.
      await entry.settled.promise;
      const { pooled } = entry;
      const isNext = entry.fence + 1 === fence && entry.head === headSnapshotId && pooled.recipe.key === recipe.key;
      const serving = isNext && pooled.state === "kept" ? await pooled.assign(neverAborts) : undefined;
      if (serving === undefined) end(sessionId, entry, isNext ? unusableReason : "the session has changed");
      return serving;
    },
    endWhere: (matches) => endAll(({ pooled }) => matches(pooled.recipe), "it is no longer needed"),
    shrinkTo(max) {
      for (const [sessionId, entry] of entries) {
        if (entries.size <= max) return;
        end(sessionId, entry, "other turns need its memory");
      }
    },
    async review(keepMs) {
      endAll(({ keptAt }) => performance.now() - keptAt > keepMs, "no turn came");
      const looks = [...entries.values()].map(async (entry) => ((await entry.pooled.isUnusable()) ? entry : undefined));
      const found = new Set(await Promise.all(looks));
      // A sandbox that a turn took in the meantime is no longer an entry. `assign` has checked it.
      endAll((entry) => found.has(entry), unusableReason);
    },
  };
}
