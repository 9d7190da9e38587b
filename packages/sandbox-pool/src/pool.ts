// The pool: preloads sandboxes for future turns, gives them to turns, keeps them between turns of one session, and
// evicts them. It knows agents only by their recipes.

import { availableParallelism } from "node:os";
import { loop, type Logger } from "@dari/runtime";
import type { SlotMounts } from "@dari/sandbox";
import { createBackground } from "./background.ts";
import { createDemand, leastRecentlyUsed, type Demand } from "./demand.ts";
import { createLastTurns, type LastTurns, type PendingKeep } from "./last-turns.ts";
import { startPooledSandbox, type PooledSandbox, type ServingSandbox } from "./pooled-sandbox.ts";
import type { SandboxRecipe } from "./recipe.ts";
import { createRefillQueue, type RefillQueue } from "./refill-queue.ts";
import { createSlots } from "./slots.ts";
import { createTemplates, type Templates } from "./templates.ts";

export interface SandboxPool {
  /**
   * Called when a turn starts. Resolves to the sandbox of the session's last turn, a preloaded one, or a new one that
   * is forked for the turn or that the session can keep. Resolves to undefined if the turn must start its own sandbox.
   * `signal` aborts when the turn is stopped.
   */
  beginTurn(recipe: SandboxRecipe, signal?: AbortSignal): Promise<ServingSandbox | undefined>;
  /** Whether the turn's sandbox should rest after the turn, because keeping it may pay. */
  canKeep(recipe: SandboxRecipe): boolean;
  /**
   * Called when the turn's sandbox is dead or at rest. Sandboxes for the next turns may be preloaded then. Returns
   * undefined if the session keeps no sandboxes.
   */
  endTurn(recipe: SandboxRecipe, how: TurnEnd): PendingKeep | undefined;
  /** Ends all sandboxes that serve no turn, and all templates, for their memory. Returns whether there were any. */
  endWaiting(): boolean;
  readonly counts: Readonly<PoolCounts>;
  /** Ends all sandboxes except those that serve turns. From now on none is preloaded or kept. Idempotent. */
  close(): Promise<void>;
}

interface TurnEnd {
  /** If false, this agent is not preloaded for a while: preloading or loading it failed. */
  readonly isPreloadable: boolean;
  /** The turn's sandbox if it is at rest. It is kept for the session's next turn. */
  readonly rested?: ServingSandbox | undefined;
}

interface PoolCounts extends TurnCounts {
  /** Sandboxes that are preloaded, or being started for that. */
  preloaded: number;
  /** Sandboxes that are kept for the next turn of their session. */
  kept: number;
  templates: number;
}

interface TurnCounts {
  /** Turns that a preloaded or kept sandbox served. */
  hits: number;
  misses: number;
  /** The hits by a kept sandbox. */
  reused: number;
  /** The misses for which a sandbox was forked. */
  forked: number;
}

export interface SandboxPoolOptions {
  readonly mounts: SlotMounts;
  /** Maximum number of preloaded sandboxes. */
  readonly preloadMax: number;
  /**
   * Maximum number of concurrent turns. Turns and kept sandboxes together never exceed it.
   */
  readonly turnsMax: number;
  /** How long a sandbox is kept for the session's next turn, in milliseconds. */
  readonly keepMs: number;
  /** Whether there is memory for sandboxes that serve no turn. Otherwise nothing is preloaded or kept. */
  readonly hasFreeMemory: () => boolean;
  /**
   * Whether templates must be retired for their memory, although they save memory while turns run (default: if there is
   * none for one more turn).
   */
  readonly isMemoryShort?: () => boolean;
  readonly log: Logger;
  /** While this many turns run, nothing is preloaded (default: the number of processors). */
  readonly busyAtTurns?: number;
  /**
   * A turn that has run for this long waits for something other than a processor, so one sandbox is preloaded during
   * it. In milliseconds (default: 1 s).
   */
  readonly longTurnMs?: number;
  /** How long after a turn's end its successor is preloaded, in milliseconds (default: 20). */
  readonly refillDelayMs?: number;
  /**
   * Sandboxes and templates whose key no turn has used for this long are evicted, in milliseconds (default: 5 minutes).
   */
  readonly idleMs?: number;
  /** A template of this age is replaced, in milliseconds (default: 5 minutes). */
  readonly templateAgeMs?: number;
  /** How often the pool is reviewed, in milliseconds (default: 1 s). */
  readonly reviewEveryMs?: number;
}

/** Maximum number of kept sandboxes. Each is checked once a second. */
const keptMax = 64;
const defaultIdleMs = 5 * 60_000;
const defaultLongTurnMs = 1_000;
const defaultRefillDelayMs = 20;
const defaultReviewEveryMs = 1_000;
/**
 * After memory was short, nothing is preloaded during long turns for this long, in milliseconds: it would soon be short
 * again.
 */
const afterShortMs = 30_000;
const neverAborts = new AbortController().signal;

/** Shared state of one pool. */
interface Parts {
  readonly o: SandboxPoolOptions;
  /** All sandboxes that have not ended. */
  readonly sandboxes: ReadonlySet<PooledSandbox>;
  /** The recipes of running turns, and since when they run. Without turns whose credential was replaced. */
  readonly running: Map<SandboxRecipe, number>;
  readonly demand: Demand;
  readonly refills: RefillQueue<SandboxRecipe>;
  readonly templates: Templates;
  readonly lastTurns: LastTurns;
  readonly counts: TurnCounts;
  start(recipe: SandboxRecipe, o: { readonly isPreload: boolean }): PooledSandbox;
  /** Ends the sandbox in the background. */
  evict(one: PooledSandbox): void;
}

export function createSandboxPool(o: SandboxPoolOptions): SandboxPool {
  const { log } = o;
  const background = createBackground(log);
  const slots = createSlots(o.mounts);
  const demand = createDemand();
  const templates = createTemplates({ ...o, max: o.preloadMax, usedAt: demand.usedAt, slots, background });
  const sandboxes = new Set<PooledSandbox>();
  const { fork } = templates;
  const onLost = (one: PooledSandbox, why: string): void => loseWaiting(one, why, parts);
  const evict = (one: PooledSandbox): void => background.run(one.end());
  const parts: Parts = {
    o,
    sandboxes,
    running: new Map(),
    demand,
    templates,
    lastTurns: createLastTurns(evict),
    counts: { hits: 0, misses: 0, reused: 0, forked: 0 },
    refills: createRefillQueue<SandboxRecipe>({
      delayMs: o.refillDelayMs ?? defaultRefillDelayMs,
      canStart: () => demand.running < (o.busyAtTurns ?? availableParallelism()) && o.hasFreeMemory(),
      refill: (recipe, { isSpare }) => refill(recipe, isSpare, parts),
    }),
    start: (recipe, how) => startPooledSandbox({ sandboxes, slots, background, log, fork, onLost }, recipe, how),
    evict,
  };
  const stopping = new AbortController();
  const reviewing = loop({
    name: "watch-warm-sandboxes",
    everyMs: o.reviewEveryMs ?? defaultReviewEveryMs,
    signal: stopping.signal,
    log,
    runOnce: reviewOf(parts),
  });
  return {
    get counts() {
      const waiting = listWaiting(parts);
      const kept = waiting.filter(({ wasKept }) => wasKept).length;
      return { ...parts.counts, preloaded: waiting.length - kept, kept, templates: templates.size };
    },
    beginTurn: (recipe, signal = neverAborts) => beginTurn(recipe, signal, parts),
    canKeep: (recipe) => canKeep(recipe, parts),
    endTurn: (recipe, how) => endTurn(recipe, how, parts, stopping.signal.aborted),
    endWaiting() {
      const wereAny = listWaiting(parts).length > 0 || templates.size > 0;
      evictWhere(() => true, parts);
      return wereAny;
    },
    async close() {
      if (!stopping.signal.aborted) log.info(this.counts, "warm.closed");
      stopping.abort();
      parts.refills.close();
      evictWhere(() => true, parts);
      await Promise.all([reviewing.done, background.done()]);
      await slots.close();
    },
  };
}

async function beginTurn(
  recipe: SandboxRecipe,
  signal: AbortSignal,
  parts: Parts,
): Promise<ServingSandbox | undefined> {
  const { o, demand, running, lastTurns, templates, counts } = parts;
  const { key, session } = recipe;
  demand.turnStarted(key);
  endReplaced(recipe, parts);
  running.set(recipe, performance.now());
  const reused = session === undefined ? undefined : await lastTurns.assign(recipe, session, signal);
  lastTurns.shrinkTo(Math.min(keptMax, o.turnsMax - demand.running));
  const found = reused ?? (await assignPreloaded(recipe, signal, parts));
  counts[found === undefined ? "misses" : "hits"] += 1;
  if (reused !== undefined) counts.reused += 1;
  if (found !== undefined || signal.aborted || !demand.isInDemand(key)) return found;
  // In a burst, no turn ends and each would load the agent itself, so they wait for one template.
  const isCrowded = demand.runningOf(key) > Math.max(1, o.busyAtTurns ?? availableParallelism());
  if (isCrowded) templates.request(recipe);
  const isForked = templates.isReady(key) || (isCrowded && templates.isLoading(key));
  if (isForked) counts.forked += 1;
  // Only a sandbox of the pool can be kept, so such a turn gets one even if it gains nothing itself.
  else if (!canKeep(recipe, parts)) return undefined;
  return await assign(parts.start(recipe, { isPreload: isForked }), signal, parts);
}

function canKeep({ session, group }: SandboxRecipe, { lastTurns }: Pick<Parts, "lastTurns">): boolean {
  return session !== undefined && lastTurns.isWorthKeeping(group);
}

async function assignPreloaded(
  recipe: SandboxRecipe,
  signal: AbortSignal,
  parts: Parts,
): Promise<ServingSandbox | undefined> {
  const found = listPreloaded(parts).find((one) => one.recipe.key === recipe.key);
  if (found === undefined) return undefined;
  const serving = await assign(found, signal, parts);
  if (serving === undefined && !signal.aborted) parts.demand.suspend(recipe.key);
  return serving;
}

/** Evicts the sandbox if it cannot serve the turn. */
async function assign(one: PooledSandbox, signal: AbortSignal, parts: Parts): Promise<ServingSandbox | undefined> {
  const serving = await one.assign(signal);
  if (serving === undefined) parts.evict(one);
  return serving;
}

function endTurn(
  recipe: SandboxRecipe,
  { isPreloadable, rested }: TurnEnd,
  { demand, running, templates, refills, lastTurns }: Parts,
  isClosed: boolean,
): PendingKeep | undefined {
  const { key, session } = recipe;
  demand.turnEnded(key);
  if (!isPreloadable) demand.suspend(key);
  const pending = session && lastTurns.add(recipe, session, rested?.pooled);
  if (isClosed) pending?.discard();
  if (!running.delete(recipe) || isClosed) return pending;
  // A busy worker does this as well: each further turn saves the cost of loading a template.
  if (isPreloadable && demand.turnCount(key) > 1) templates.request(recipe);
  refills.request(recipe);
  return pending;
}

/** Evicts sandboxes that are idle or exceed the free memory, and preloads sandboxes during long turns. */
function reviewOf(parts: Parts): () => Promise<void> {
  const { o, demand, lastTurns, running, refills } = parts;
  const { longTurnMs = defaultLongTurnMs } = o;
  let shortAt = -Infinity;
  return async () => {
    const now = performance.now();
    demand.forgetIdle(o.idleMs ?? defaultIdleMs);
    refills.cancelWhere(({ key }) => !demand.isInDemand(key));
    // Without anything to evict and without turns, the memory need not be read.
    if (parts.sandboxes.size + parts.templates.size + running.size + lastTurns.size === 0) return;
    const isShort = !o.hasFreeMemory();
    if (isShort) shortAt = now;
    for (const one of listPreloaded(parts)) if (isShort || !demand.isInDemand(one.recipe.key)) parts.evict(one);
    const areTemplatesEnded = o.isMemoryShort?.() ?? isShort;
    parts.templates.retireWhere(({ key }) => areTemplatesEnded || !demand.isInDemand(key));
    if (isShort) lastTurns.shrinkTo(0);
    if (now - shortAt >= afterShortMs) {
      for (const [recipe, since] of running) if (now - since >= longTurnMs) refills.request(recipe, { isSpare: true });
    }
    await lastTurns.review(o.keepMs);
  };
}

/** Preloads a sandbox if too few are. Returns whether still more are missing. */
function refill(recipe: SandboxRecipe, isSpare: boolean, parts: Parts): boolean {
  const { o, demand, evict } = parts;
  const target = Math.min(isSpare ? 1 : Infinity, o.preloadMax, demand.target(recipe.key));
  const all = listPreloaded(parts);
  const others = all.filter((one) => one.recipe.key !== recipe.key);
  const have = all.length - others.length;
  if (have >= target || (isSpare && all.length >= o.preloadMax)) return false;
  const evicted = leastRecentlyUsed(others, all.length + 1 - o.preloadMax, (one) => demand.usedAt(one.recipe.key));
  for (const one of evicted) evict(one);
  if (all.length - evicted.length < o.preloadMax) preload(recipe, parts);
  return have + 1 < target;
}

function preload(recipe: SandboxRecipe, parts: Parts): void {
  parts.templates.request(recipe);
  parts.start(recipe, { isPreload: true });
}

function loseWaiting(one: PooledSandbox, why: string, parts: Parts): void {
  const { key, group } = one.recipe;
  parts.evict(one);
  if (one.wasKept) return;
  parts.demand.suspend(key);
  parts.o.log.warn({ group, why }, "warm.lost");
}

/** Ends everything with a value that this turn's values replace. */
function endReplaced(current: SandboxRecipe, parts: Parts): void {
  const isReplaced = (one: SandboxRecipe): boolean => {
    if (one.group !== current.group || one.key === current.key) return false;
    return [...current.shared].some(([name, digest]) => (one.shared.get(name) ?? digest) !== digest);
  };
  for (const one of parts.running.keys()) if (isReplaced(one)) parts.running.delete(one);
  parts.refills.cancelWhere(isReplaced);
  evictWhere(isReplaced, parts);
}

function evictWhere(matches: (recipe: SandboxRecipe) => boolean, parts: Parts): void {
  for (const one of listWaiting(parts)) if (matches(one.recipe)) parts.evict(one);
  parts.templates.retireWhere(matches);
}

function listWaiting({ sandboxes }: Pick<Parts, "sandboxes">): PooledSandbox[] {
  return [...sandboxes].filter(({ state }) => state === "waiting");
}

function listPreloaded(parts: Parts): PooledSandbox[] {
  return listWaiting(parts).filter(({ wasKept }) => !wasKept);
}
