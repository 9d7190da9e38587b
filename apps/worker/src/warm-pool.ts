// Sandboxes that have loaded their agent and wait for a turn. Each serves one turn at most; the next one is started
// when a turn has ended. Knows nothing of agents: a recipe says what waits and for whom.

import { randomUUID } from "node:crypto";
import { loop, type Logger } from "@dari/runtime";
import type { Sandbox, SlotMounts } from "@dari/sandbox";
import { chooseVictims, createDemand, type Demand } from "./warm-demand.ts";

/** What waits. */
export interface WarmRecipe {
  /** Turns of one key may be served by each other's sandboxes: image, credentials and settings are the same. */
  readonly key: string;
  /** Of one group only the key that was used last is current: whatever waits with another is ended. */
  readonly group: string;
  /** Starts a sandbox in this slot and has it load its agent. */
  prepare(slotDir: string, mounts: SlotMounts): Promise<Prepared>;
}

export interface Prepared {
  readonly sandbox: Sandbox;
  /** Called when the sandbox is dead: gives back what was held for it. */
  release(): void;
}

/** A sandbox that waited and is now one turn's. */
export interface Taken<P extends Prepared = Prepared> {
  readonly prepared: P;
  /** Kills it and removes what it left. Idempotent. */
  end(): Promise<void>;
}

export interface WarmPool {
  /** Called when a turn starts: a sandbox that waited for it, or undefined, and the turn starts its own. */
  enter(recipe: WarmRecipe): Promise<Taken | undefined>;
  /**
   * Called when the agent of that turn is dead: another may wait for the next turn like it. None does for a while where
   * `isFit` is false: the agent does not bear to be loaded ahead, or to be loaded at all.
   */
  left(recipe: WarmRecipe, o: { isFit: boolean }): void;
  readonly counts: Readonly<{ waiting: number; hits: number; misses: number }>;
  /** Ends everything that waits; from here on nothing does. Idempotent. */
  close(): Promise<void>;
}

export interface WarmPoolOptions {
  readonly mounts: SlotMounts;
  /** That wait at once; at least 1. */
  readonly max: number;
  /** Whether there is memory for one more turn; while there is not, nothing waits. */
  readonly hasRoom: () => boolean;
  readonly log: Logger;
  /** What no turn has asked for in this time no longer waits. Milliseconds; default 5 minutes. */
  readonly idleMs?: number;
  /** Milliseconds; default 1 s. */
  readonly lookEveryMs?: number;
}

interface Waiting {
  readonly recipe: WarmRecipe;
  /** Undefined: it could not be started. */
  readonly ready: Promise<Prepared | undefined>;
  readonly slotDir: string;
  end(): Promise<void>;
}

const defaultIdleMs = 5 * 60_000;
const defaultLookEveryMs = 1_000;

interface Shelf {
  readonly waiting: Set<Waiting>;
  /** Ends it in the background. */
  drop(one: Waiting): void;
  /** Resolves when everything that was dropped has ended. */
  ended(): Promise<void>;
}

function createShelf(log: Logger): Shelf {
  const waiting = new Set<Waiting>();
  const ending = new Set<Promise<void>>();
  return {
    waiting,
    drop(one) {
      waiting.delete(one);
      const end = one.end().catch((err: unknown) => log.error({ err }, "warm.not_ended"));
      ending.add(end);
      void end.finally(() => ending.delete(end));
    },
    ended: async () => void (await Promise.all(ending)),
  };
}

export function createWarmPool(o: WarmPoolOptions): WarmPool {
  const { mounts, max, log, idleMs = defaultIdleMs } = o;
  const { waiting, drop, ended } = createShelf(log);
  const demand = createDemand();
  const counts = { hits: 0, misses: 0 };
  const stopping = new AbortController();

  function start(recipe: WarmRecipe): void {
    const one = startWaiting(o, recipe);
    waiting.add(one);
    const lose = (why: string): void => {
      if (!waiting.has(one)) return;
      // Its code does not bear to be loaded ahead: its turns find that out for themselves.
      demand.refuse(recipe.key);
      log.warn({ why }, "warm.lost");
      drop(one);
    };
    void one.ready.then((prepared) => {
      if (prepared === undefined) return lose("it could not be started");
      log.debug({ waiting: waiting.size }, "warm.waiting");
      void prepared.sandbox.exited.then(() => lose("it ended while it waited"));
    });
  }

  function look(): void {
    demand.forget(idleMs);
    const isShort = !o.hasRoom();
    for (const one of waiting) if (isShort || !demand.isWanted(one.recipe.key)) drop(one);
  }

  const looking = loop({
    name: "watch-warm-sandboxes",
    everyMs: o.lookEveryMs ?? defaultLookEveryMs,
    signal: stopping.signal,
    log,
    runOnce: () => Promise.resolve(look()),
  });

  return {
    get counts() {
      return { ...counts, waiting: waiting.size };
    },
    async enter(recipe) {
      demand.enter(recipe.key);
      for (const one of waiting) if (isStale(one.recipe, recipe)) drop(one);
      const found = [...waiting].find((one) => one.recipe.key === recipe.key);
      if (found !== undefined) waiting.delete(found);
      const taken = found === undefined ? undefined : await take(found, mounts);
      if (found !== undefined && taken === undefined) {
        demand.refuse(recipe.key);
        drop(found);
      }
      counts[taken === undefined ? "misses" : "hits"] += 1;
      return taken;
    },
    left(recipe, { isFit }) {
      demand.leave(recipe.key);
      if (!isFit) demand.refuse(recipe.key);
      if (stopping.signal.aborted || !o.hasRoom()) return;
      refill(recipe, { waiting, demand, max, drop, start });
    },
    async close() {
      if (!stopping.signal.aborted) log.info(this.counts, "warm.closed");
      stopping.abort();
      for (const one of waiting) drop(one);
      await Promise.all([looking.done, ended()]);
    },
  };
}

function isStale(one: WarmRecipe, current: WarmRecipe): boolean {
  return one.group === current.group && one.key !== current.key;
}

function refill(
  recipe: WarmRecipe,
  o: {
    waiting: ReadonlySet<Waiting>;
    demand: Demand;
    max: number;
    drop(one: Waiting): void;
    start(recipe: WarmRecipe): void;
  },
): void {
  const wanted = Math.min(o.max, o.demand.wanted(recipe.key));
  const have = [...o.waiting].filter((one) => one.recipe.key === recipe.key).length;
  if (have >= wanted) return;
  const others = [...o.waiting].filter((one) => one.recipe.key !== recipe.key);
  for (const victim of chooseVictims(others, o.waiting.size + 1 - o.max, (one) => o.demand.usedAt(one.recipe.key))) {
    o.drop(victim);
  }
  if (o.waiting.size < o.max) o.start(recipe);
}

/** Undefined when it is dead, or has already written where the turn's files will lie. */
async function take(one: Waiting, mounts: SlotMounts): Promise<Taken | undefined> {
  const prepared = await one.ready;
  if (prepared === undefined) return undefined;
  const isGone = await Promise.race([prepared.sandbox.exited.then(() => true), Promise.resolve(false)]);
  if (isGone || !(await mounts.isUntouched(one.slotDir).catch(() => false))) return undefined;
  return { prepared, end: () => one.end() };
}

function startWaiting({ mounts, log }: WarmPoolOptions, recipe: WarmRecipe): Waiting {
  const name = randomUUID();
  const made = mounts.make(name);
  const ready = made
    .then((slotDir) => recipe.prepare(slotDir, mounts))
    .catch((err: unknown) => void log.warn({ err }, "warm.not_started"));
  async function end(): Promise<void> {
    const prepared = await ready;
    try {
      await prepared?.sandbox.kill();
    } finally {
      prepared?.release();
      await made.then(mounts.remove, () => undefined);
    }
  }
  let ended: Promise<void> | undefined;
  return { recipe, ready, slotDir: mounts.pathOf(name), end: () => (ended ??= end()) };
}
