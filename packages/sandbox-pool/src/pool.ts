// Sandboxes that have loaded their agent and wait for a turn. Each serves one turn, or turns of one session where the
// recipe names it; the next one is started when a turn has ended. Knows nothing of agents: a recipe says what waits and
// for whom.

import { availableParallelism } from "node:os";
import { loop, type Logger, type Loop } from "@dari/runtime";
import type { SlotMounts } from "@dari/sandbox";
import { chooseVictims, createDemand, type Demand } from "./demand.ts";
import { createRefills, type Refills } from "./refill-queue.ts";
import { createWarmSessions, type Rested, type SessionTurn, type WarmSessions } from "./kept-sandboxes.ts";
import { createWarmSlots, type WarmSlots } from "./slots.ts";
import { createWarmTemplates, type WarmTemplate, type WarmTemplates } from "./templates.ts";
import {
  createShelf,
  startNow,
  startWaiting,
  take,
  type Prepared,
  type Shelf,
  type Taken,
  type Waiting,
} from "./pooled-sandbox.ts";

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
  /** The user of the host whose sandbox it is, and the owner of its slot; absent: this process's. */
  readonly hostUser?: number | undefined;
  /** Given where the turn may be served by the sandbox of the session's last one, and its own be kept for the next. */
  readonly session?: SessionTurn | undefined;
  /** Starts a sandbox in this slot. Ahead of a turn it has it load its agent. */
  prepare(slotDir: string, mounts: SlotMounts, o: { readonly isAhead: boolean }): Promise<Prepared>;
  /**
   * Given where the agent may be loaded once and forked for each sandbox. It is started in this slot; text: why it
   * cannot be forked. `signal`: nobody waits for it any more.
   */
  startTemplate?(slotDir: string, mounts: SlotMounts, signal: AbortSignal): Promise<WarmTemplate | string>;
}

export interface WarmPool {
  /**
   * Called when a turn starts: the sandbox of its session's last turn, one that waited for it, or undefined, and the
   * turn starts its own. Where none is there, one is forked if that can be done at once, or started if the recipe names
   * a session. `signal`: nobody waits for it any more.
   */
  enter(recipe: WarmRecipe, signal?: AbortSignal): Promise<Taken | undefined>;
  /** Called before `left` where the sandbox of that turn has come to rest, for the next turn of its session. */
  hold(recipe: WarmRecipe, turn: SessionTurn, taken: Taken): Rested;
  /**
   * Called when the agent of that turn is dead: another may wait for the next turn like it, soon or when fewer turns
   * run. None does for a while where `isFit` is false: the agent does not bear to be loaded ahead, or at all.
   */
  left(recipe: WarmRecipe, o: { isFit: boolean }): void;
  /**
   * `reused`: of the hits, by the sandbox of the session's last turn; `resting`: so many of those. `forked`: of the
   * misses, by a sandbox that was forked for them.
   */
  readonly counts: Readonly<
    Record<"waiting" | "resting" | "templates" | "hits" | "misses" | "reused" | "forked", number>
  >;
  /** Ends everything that waits; from here on nothing does. Idempotent. */
  close(): Promise<void>;
}

export interface WarmPoolOptions {
  readonly mounts: SlotMounts;
  /** That wait for any turn of their agent at once. */
  readonly max: number;
  /** Turns at once: those that run and sandboxes that rest are never more together, so memory is set aside for all. */
  readonly slots: number;
  /** How long a sandbox rests for the next turn of its session. Milliseconds. */
  readonly sessionIdleMs: number;
  /** Whether there is memory for one more turn; while there is not, nothing waits. */
  readonly hasRoom: () => boolean;
  readonly log: Logger;
  /**
   * While so many turns run, and more may wait for a slot, none is started: its processor time is theirs. Default: the
   * processors of this machine.
   */
  readonly busyAt?: number;
  /**
   * A turn that has run for so long waits for something else than a processor: the sandbox for the next one is started
   * beside it. Milliseconds; default 1 s.
   */
  readonly longTurnMs?: number;
  /** How long a turn that has left comes before the sandbox for the next one. Milliseconds; default 20. */
  readonly restMs?: number;
  /** What no turn has asked for in this time no longer waits. Milliseconds; default 5 minutes. */
  readonly idleMs?: number;
  /** An agent that was loaded so long ago, to be forked, is loaded anew. Milliseconds; default 5 minutes. */
  readonly templateAgeMs?: number;
  /** Milliseconds; default 1 s. */
  readonly lookEveryMs?: number;
}

const defaultIdleMs = 5 * 60_000;
const defaultLongTurnMs = 1_000;
const defaultRestMs = 20;
const defaultLookEveryMs = 1_000;
/** Memory that was short is left alone for as long: what waits beside long turns would make it short again. */
const afterShortMs = 30_000;

export function createWarmPool(o: WarmPoolOptions): WarmPool {
  const { log, idleMs = defaultIdleMs, busyAt = availableParallelism(), longTurnMs = defaultLongTurnMs } = o;
  const shelf = createShelf(log);
  const { waiting, drop, ended } = shelf;
  const slots = createWarmSlots(o.mounts);
  const sessions = createWarmSessions({ finish: shelf.finish, log });
  const demand = createDemand();
  const templates = openTemplates(o, demand, slots, shelf);
  const parts = { slots, shelf, templates };
  /** Turns that run, and since when; not those whose credentials have been changed. */
  const running = new Map<WarmRecipe, number>();
  const counts = { hits: 0, misses: 0, reused: 0, forked: 0 };
  const stopping = new AbortController();
  const refills = createRefills<WarmRecipe>({
    restMs: o.restMs ?? defaultRestMs,
    mayStart: () => demand.running < busyAt && o.hasRoom(),
    refill: (recipe, { isSpare }) => refill(recipe, { waiting, demand, max: o.max, isSpare, drop, start }),
  });
  const wantSpares = besideLongTurns(running, refills, longTurnMs);

  function start(recipe: WarmRecipe): void {
    templates.want(recipe);
    const one = startWaiting(o, parts, recipe, { isAhead: true });
    waiting.add(one);
    whenLost(one, (why) => lose(one, why, { waiting, demand, drop, log }));
  }

  async function look(): Promise<void> {
    demand.forget(idleMs);
    const isShort = !o.hasRoom();
    const isUnwanted = ({ key }: WarmRecipe): boolean => isShort || !demand.isWanted(key);
    for (const one of waiting) if (isUnwanted(one.recipe)) drop(one);
    templates.end(isUnwanted);
    sessions.makeRoom(isShort ? 0 : o.slots - demand.running);
    refills.forget(({ key }) => !demand.isWanted(key));
    wantSpares(isShort);
    await sessions.review(o.sessionIdleMs);
  }

  const looking = lookAgain(o, stopping.signal, look);

  return {
    get counts() {
      return { ...counts, waiting: waiting.size, resting: sessions.size, templates: templates.size };
    },
    enter: (recipe, signal = never) =>
      enter(recipe, signal, { o, demand, refills, running, drop, sessions, counts, ...parts }),
    hold: (recipe, turn, taken) => sessions.hold(recipe, turn, taken),
    left(recipe, { isFit }) {
      demand.leave(recipe.key);
      if (!isFit) demand.refuse(recipe.key);
      if (!running.delete(recipe) || stopping.signal.aborted) return;
      // However busy the worker is: what it takes is saved by each further turn.
      if (isFit && demand.turns(recipe.key) > 1) templates.want(recipe);
      refills.want(recipe);
    },
    async close() {
      if (!stopping.signal.aborted) log.info(this.counts, "warm.closed");
      stopping.abort();
      refills.close();
      for (const one of waiting) drop(one);
      templates.end(() => true);
      sessions.makeRoom(0);
      await Promise.all([looking.done, ended()]);
      await slots.close();
    },
  };
}

function openTemplates(o: WarmPoolOptions, { usedAt }: Demand, slots: WarmSlots, { finish }: Shelf): WarmTemplates {
  return createWarmTemplates({ ...o, slots, usedAt, ageMs: o.templateAgeMs, finish });
}

/** Of a pool. */
interface Parts {
  readonly o: WarmPoolOptions;
  readonly demand: Demand;
  readonly refills: Refills<WarmRecipe>;
  readonly running: Map<WarmRecipe, number>;
  drop(one: Waiting): void;
  readonly sessions: WarmSessions;
  readonly templates: WarmTemplates;
  readonly slots: WarmSlots;
  readonly shelf: Shelf;
  readonly counts: { hits: number; misses: number; reused: number; forked: number };
}

const never = new AbortController().signal;

async function enter(recipe: WarmRecipe, signal: AbortSignal, parts: Parts): Promise<Taken | undefined> {
  const { o, demand, running, drop, sessions, templates, counts } = parts;
  const { waiting } = parts.shelf;
  demand.enter(recipe.key);
  endReplaced(recipe, { ...parts, waiting });
  running.set(recipe, performance.now());
  const { session } = recipe;
  const reused = session === undefined ? undefined : await sessions.take(recipe, session);
  sessions.makeRoom(o.slots - demand.running);
  const found = reused ?? (await findWaiting(recipe, signal, { waiting, demand, drop }));
  counts[found === undefined ? "misses" : "hits"] += 1;
  if (reused !== undefined) counts.reused += 1;
  if (found !== undefined || signal.aborted || !demand.isWanted(recipe.key)) return found;
  const isForked = templates.isReady(recipe.key);
  if (isForked) counts.forked += 1;
  else if (session === undefined) return undefined;
  return await startNow(startWaiting(o, parts, recipe, { isAhead: isForked }), drop, signal);
}

/** Has one wait beside each turn that lasts, unless memory was short lately. */
function besideLongTurns(
  running: ReadonlyMap<WarmRecipe, number>,
  refills: Refills<WarmRecipe>,
  longTurnMs: number,
): (isShort: boolean) => void {
  let shortAt = -Infinity;
  return (isShort) => {
    const now = performance.now();
    if (isShort) shortAt = now;
    if (now - shortAt < afterShortMs) return;
    for (const [recipe, since] of running) if (now - since >= longTurnMs) refills.want(recipe, { isSpare: true });
  };
}

function lookAgain({ lookEveryMs, log }: WarmPoolOptions, signal: AbortSignal, runOnce: () => Promise<void>): Loop {
  const everyMs = lookEveryMs ?? defaultLookEveryMs;
  return loop({ name: "watch-warm-sandboxes", everyMs, signal, log, runOnce });
}

function whenLost(one: Waiting, lose: (why: string) => void): void {
  void one.ready.then((prepared) => {
    if (prepared === undefined) return lose("it could not be started");
    void prepared.sandbox.exited.then(() => lose("it ended while it waited"));
  });
}

/** Its code does not bear to be loaded ahead: its turns find that out for themselves. */
function lose(
  one: Waiting,
  why: string,
  o: { waiting: ReadonlySet<Waiting>; demand: Demand; drop(one: Waiting): void; log: Logger },
): void {
  if (!o.waiting.has(one)) return;
  o.demand.refuse(one.recipe.key);
  o.log.warn({ group: one.recipe.group, why }, "warm.lost");
  o.drop(one);
}

/** What holds something that this turn has with another value. */
function endReplaced(
  recipe: WarmRecipe,
  o: {
    refills: Refills<WarmRecipe>;
    running: Map<WarmRecipe, number>;
    waiting: ReadonlySet<Waiting>;
    drop(one: Waiting): void;
    sessions: WarmSessions;
    templates: WarmTemplates;
  },
): void {
  const isOld = (one: WarmRecipe): boolean => isReplaced(one, recipe);
  o.refills.forget(isOld);
  for (const one of o.running.keys()) if (isOld(one)) o.running.delete(one);
  for (const one of o.waiting) if (isOld(one.recipe)) o.drop(one);
  o.sessions.end(isOld);
  o.templates.end(isOld);
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
    isSpare: boolean;
    drop(one: Waiting): void;
    start(recipe: WarmRecipe): void;
  },
): boolean {
  const most = o.isSpare ? Math.min(1, o.max) : o.max;
  const wanted = Math.min(most, o.demand.wanted(recipe.key));
  const have = [...o.waiting].filter((one) => one.recipe.key === recipe.key).length;
  if (have >= wanted || (o.isSpare && o.waiting.size >= o.max)) return false;
  const others = [...o.waiting].filter((one) => one.recipe.key !== recipe.key);
  for (const victim of chooseVictims(others, o.waiting.size + 1 - o.max, (one) => o.demand.usedAt(one.recipe.key))) {
    o.drop(victim);
  }
  if (o.waiting.size < o.max) o.start(recipe);
  return have + 1 < wanted;
}

async function findWaiting(
  recipe: WarmRecipe,
  signal: AbortSignal,
  o: { waiting: Set<Waiting>; demand: Demand; drop(one: Waiting): void },
): Promise<Taken | undefined> {
  const found = [...o.waiting].find((one) => one.recipe.key === recipe.key);
  if (found === undefined) return undefined;
  o.waiting.delete(found);
  const taken = await take(found, signal);
  if (taken !== undefined) return taken;
  if (!signal.aborted) o.demand.refuse(recipe.key);
  o.drop(found);
  return undefined;
}
