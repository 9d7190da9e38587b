// Sandboxes that have loaded their agent and wait for a turn. Each serves one turn at most; the next one is started
// when a turn has ended. Knows nothing of agents: a recipe says what waits and for whom.

import { availableParallelism } from "node:os";
import { loop, type Logger, type Loop } from "@dari/runtime";
import type { Sandbox, SlotMounts } from "@dari/sandbox";
import { chooseVictims, createDemand, type Demand } from "./warm-demand.ts";
import { createRefills } from "./warm-refills.ts";
import { createWarmSlots, type WarmSlots } from "./warm-slots.ts";

/** What waits. */
export interface WarmRecipe {
  /** Turns of one key may be served by each other's sandboxes: image, credentials and settings are the same. */
  readonly key: string;
  readonly group: string;
  /**
   * What all turns of the group have in common, by name, as a digest of its value. Whatever waits with another value
   * under one of these names is ended: it holds what has been replaced.
   */
  readonly shared: ReadonlyMap<string, string>;
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
  /** Kills it; what it leaves is removed in the background. Idempotent. */
  end(): Promise<void>;
}

export interface WarmPool {
  /** Called when a turn starts: a sandbox that waited for it, or undefined, and the turn starts its own. */
  enter(recipe: WarmRecipe): Promise<Taken | undefined>;
  /**
   * Called when the agent of that turn is dead: another may wait for the next turn like it, soon or when fewer turns
   * run. None does for a while where `isFit` is false: the agent does not bear to be loaded ahead, or at all.
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
  /**
   * While so many turns run, and more may wait for a slot, none is started: its processor time is theirs. Default: the
   * processors of this machine.
   */
  readonly busyAt?: number;
  /** How long a turn that has left comes before the sandbox for the next one. Milliseconds; default 20. */
  readonly restMs?: number;
  /** What no turn has asked for in this time no longer waits. Milliseconds; default 5 minutes. */
  readonly idleMs?: number;
  /** Milliseconds; default 1 s. */
  readonly lookEveryMs?: number;
}

interface Waiting {
  readonly recipe: WarmRecipe;
  /** Undefined: it could not be started. */
  readonly ready: Promise<Prepared | undefined>;
  /** Whether it is dead, or has already written where the turn's files will lie. */
  isSpoilt(): Promise<boolean>;
  end(): Promise<void>;
}

const defaultIdleMs = 5 * 60_000;
const defaultRestMs = 20;
const defaultLookEveryMs = 1_000;

interface Shelf {
  readonly waiting: Set<Waiting>;
  /** Ends it in the background. */
  drop(one: Waiting): void;
  /** Goes on in the background until `ended`. */
  finish(work: Promise<void>): void;
  /** Resolves when everything that was dropped has ended. */
  ended(): Promise<void>;
}

function createShelf(log: Logger): Shelf {
  const waiting = new Set<Waiting>();
  const ending = new Set<Promise<void>>();
  function finish(work: Promise<void>): void {
    const end = work.catch((err: unknown) => log.error({ err }, "warm.not_ended"));
    ending.add(end);
    void end.finally(() => ending.delete(end));
  }
  return {
    waiting,
    drop(one) {
      waiting.delete(one);
      finish(one.end());
    },
    finish,
    async ended() {
      while (ending.size > 0) await Promise.all(ending);
    },
  };
}

export function createWarmPool(o: WarmPoolOptions): WarmPool {
  const { log, idleMs = defaultIdleMs, busyAt = availableParallelism() } = o;
  const shelf = createShelf(log);
  const { waiting, drop, ended } = shelf;
  const slots = createWarmSlots(o.mounts);
  const demand = createDemand();
  const counts = { hits: 0, misses: 0 };
  const stopping = new AbortController();
  const refills = createRefills<WarmRecipe>({
    restMs: o.restMs ?? defaultRestMs,
    mayStart: () => demand.running < busyAt && o.hasRoom(),
    refill: (recipe) => refill(recipe, { waiting, demand, max: o.max, drop, start }),
  });

  function start(recipe: WarmRecipe): void {
    const one = startWaiting(o, slots, shelf, recipe);
    waiting.add(one);
    whenLost(one, (why) => {
      if (!waiting.has(one)) return;
      // Its code does not bear to be loaded ahead: its turns find that out for themselves.
      demand.refuse(recipe.key);
      log.warn({ why }, "warm.lost");
      drop(one);
    });
  }

  function look(): void {
    demand.forget(idleMs);
    const isShort = !o.hasRoom();
    for (const one of waiting) if (isShort || !demand.isWanted(one.recipe.key)) drop(one);
    refills.forget(({ key }) => !demand.isWanted(key));
  }

  const looking = lookAgain(o, stopping.signal, look);

  return {
    get counts() {
      return { ...counts, waiting: waiting.size };
    },
    async enter(recipe) {
      demand.enter(recipe.key);
      refills.forget((one) => isReplaced(one, recipe));
      for (const one of waiting) if (isReplaced(one.recipe, recipe)) drop(one);
      const found = [...waiting].find((one) => one.recipe.key === recipe.key);
      if (found !== undefined) waiting.delete(found);
      const taken = found === undefined ? undefined : await take(found);
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
      if (!stopping.signal.aborted) refills.want(recipe);
    },
    async close() {
      if (!stopping.signal.aborted) log.info(this.counts, "warm.closed");
      stopping.abort();
      refills.close();
      for (const one of waiting) drop(one);
      await Promise.all([looking.done, ended()]);
      await slots.close();
    },
  };
}

function lookAgain({ lookEveryMs, log }: WarmPoolOptions, signal: AbortSignal, look: () => void): Loop {
  const everyMs = lookEveryMs ?? defaultLookEveryMs;
  return loop({ name: "watch-warm-sandboxes", everyMs, signal, log, runOnce: () => Promise.resolve(look()) });
}

function whenLost(one: Waiting, lose: (why: string) => void): void {
  void one.ready.then((prepared) => {
    if (prepared === undefined) return lose("it could not be started");
    void prepared.sandbox.exited.then(() => lose("it ended while it waited"));
  });
}

function isReplaced(one: WarmRecipe, current: WarmRecipe): boolean {
  if (one.group !== current.group || one.key === current.key) return false;
  return [...current.shared].some(([name, digest]) => (one.shared.get(name) ?? digest) !== digest);
}

/** Starts one if too few wait, and answers whether still more should. */
function refill(
  recipe: WarmRecipe,
  o: {
    waiting: ReadonlySet<Waiting>;
    demand: Demand;
    max: number;
    drop(one: Waiting): void;
    start(recipe: WarmRecipe): void;
  },
): boolean {
  const wanted = Math.min(o.max, o.demand.wanted(recipe.key));
  const have = [...o.waiting].filter((one) => one.recipe.key === recipe.key).length;
  if (have >= wanted) return false;
  const others = [...o.waiting].filter((one) => one.recipe.key !== recipe.key);
  for (const victim of chooseVictims(others, o.waiting.size + 1 - o.max, (one) => o.demand.usedAt(one.recipe.key))) {
    o.drop(victim);
  }
  if (o.waiting.size < o.max) o.start(recipe);
  return have + 1 < wanted;
}

/** Undefined where it can serve no turn. */
async function take(one: Waiting): Promise<Taken | undefined> {
  const prepared = await one.ready;
  if (prepared === undefined || (await one.isSpoilt())) return undefined;
  return { prepared, end: () => one.end() };
}

function startWaiting({ mounts, log }: WarmPoolOptions, slots: WarmSlots, shelf: Shelf, recipe: WarmRecipe): Waiting {
  const slot = slots.take();
  const ready = slot
    .then((slotDir) => recipe.prepare(slotDir, mounts))
    .catch((err: unknown) => void log.warn({ err }, "warm.not_started"));
  let isGone = false;
  void ready.then((prepared) => prepared?.sandbox.exited.then(() => (isGone = true)));
  async function end(): Promise<void> {
    const prepared = await ready;
    try {
      await prepared?.sandbox.kill();
    } finally {
      prepared?.release();
      shelf.finish(slot.then(slots.giveBack, () => undefined));
    }
  }
  let ended: Promise<void> | undefined;
  return {
    recipe,
    ready,
    async isSpoilt() {
      const isUntouched = await mounts.isUntouched(await slot).catch(() => false);
      return isGone || !isUntouched;
    },
    end: () => (ended ??= end()),
  };
}
