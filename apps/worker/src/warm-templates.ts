// Agents that have been loaded once and are forked for each turn to come: one template for each key, where its recipe can
// make one. A template lives for as long as its key is used, and for as long as anything that was forked from it.

import type { Logger } from "@dari/runtime";
import type { SlotMounts } from "@dari/sandbox";
import { chooseVictims } from "./warm-demand.ts";
import type { WarmRecipe } from "./warm-pool.ts";
import type { WarmSlots } from "./warm-slots.ts";
import type { Prepared } from "./warm-waiting.ts";

/** One that has loaded its agent and waits to be forked. */
export interface WarmTemplate {
  /** Settles when it is dead. */
  readonly exited: Promise<unknown>;
  /** A sandbox in this slot, with the agent loaded. One after the other. */
  fork(slotDir: string, mounts: SlotMounts): Promise<Prepared>;
  /** Ends it, and everything that was forked from it. */
  end(): Promise<void>;
}

export interface WarmTemplates {
  readonly size: number;
  /** Starts one in the background, unless there is one, the key's cannot be forked, or another is being started. */
  want(recipe: WarmRecipe): void;
  /** Whether one can be forked at once. */
  isReady(key: string): boolean;
  /** Waits for a template that is being started. Undefined where there is none, or it cannot be forked any more. */
  fork(recipe: WarmRecipe, slotDir: string): Promise<Prepared | undefined>;
  /** They are forked no more, and end with the last that was. */
  end(which: (recipe: WarmRecipe) => boolean): void;
}

interface Entry {
  readonly recipe: WarmRecipe;
  readonly ready: Promise<WarmTemplate | undefined>;
  isReady: boolean;
  isOver: boolean;
  /** Forked from it and alive, or about to be. */
  living: number;
  readonly unused: PromiseWithResolvers<void>;
}

/** An agent that cannot be forked is asked again after so long: what it does at its import may depend on others. */
const refusedForMs = 10 * 60_000;
const refusedMax = 1_024;
/**
 * Used in this time, one does not give way to another: among more agents than there are places for, each would be
 * loaded for nothing.
 */
const usedForMs = 30_000;

export function createWarmTemplates(o: {
  readonly mounts: SlotMounts;
  readonly slots: WarmSlots;
  /** At once; of more, those end that have not been used for half a minute, the oldest first. */
  readonly max: number;
  readonly hasRoom: () => boolean;
  usedAt(key: string): number;
  /** Goes on in the background. */
  finish(work: Promise<void>): void;
  readonly log: Logger;
}): WarmTemplates {
  /** By key. Those that are over are in none, and end in the background. */
  const entries = new Map<string, Entry>();
  const refusedUntil = new Map<string, number>();

  function retire(entry: Entry): void {
    if (entries.get(entry.recipe.key) === entry) entries.delete(entry.recipe.key);
    if (entry.isOver) return;
    entry.isOver = true;
    if (entry.living === 0) entry.unused.resolve();
  }

  function refuse({ key }: WarmRecipe, why: string): void {
    o.log.info({ why }, "warm.no_template");
    for (const oldest of refusedUntil.keys()) if (refusedUntil.size >= refusedMax) refusedUntil.delete(oldest);
    refusedUntil.set(key, performance.now() + refusedForMs);
  }

  function isRefused(key: string): boolean {
    return performance.now() < (refusedUntil.get(key) ?? -Infinity);
  }

  function start(recipe: WarmRecipe): void {
    const stopping = new AbortController();
    const life = { isReady: false, isOver: false, living: 0, unused: Promise.withResolvers<void>() };
    const begun = performance.now();
    const slot = o.slots.take();
    const ready = slot
      .then((slotDir) => recipe.startTemplate!(slotDir, o.mounts, stopping.signal))
      .then(
        async (made) => {
          if (typeof made !== "string") return made;
          if (!life.isOver) refuse(recipe, made);
          return undefined;
        },
        (err: unknown) => {
          o.log.warn({ err }, "warm.template_not_started");
          refuse(recipe, "it could not be started");
          return undefined;
        },
      );
    const entry: Entry = Object.assign(life, { recipe, ready });
    entries.set(recipe.key, entry);
    void entry.unused.promise.then(() => stopping.abort());
    void ready.then((template) => {
      if (template === undefined) return retire(entry);
      entry.isReady = true;
      o.log.info({ start_ms: Math.round(performance.now() - begun) }, "warm.template_ready");
      void template.exited.then(() => retire(entry));
    });
    o.finish(endWhenUnused(entry, slot));
  }

  async function endWhenUnused(entry: Entry, slot: Promise<string>): Promise<void> {
    await entry.unused.promise;
    try {
      await (await entry.ready)?.end();
    } finally {
      await slot.then(
        (slotDir) => o.slots.giveBack(slotDir),
        () => undefined,
      );
    }
  }

  function release(entry: Entry): void {
    entry.living -= 1;
    if (entry.isOver && entry.living === 0) entry.unused.resolve();
  }

  return {
    get size() {
      return entries.size;
    },
    want(recipe) {
      const { key } = recipe;
      if (recipe.startTemplate === undefined || entries.has(key) || isRefused(key) || !o.hasRoom()) return;
      const all = [...entries.values()];
      if (all.some((one) => !one.isReady)) return;
      const unused = all.filter((one) => performance.now() - o.usedAt(one.recipe.key) > usedForMs);
      const victims = chooseVictims(unused, all.length + 1 - o.max, (one) => o.usedAt(one.recipe.key));
      if (all.length - victims.length >= o.max) return;
      for (const victim of victims) retire(victim);
      start(recipe);
    },
    isReady: (key) => entries.get(key)?.isReady === true,
    async fork(recipe, slotDir) {
      const entry = entries.get(recipe.key);
      if (entry === undefined) return undefined;
      entry.living += 1;
      try {
        const template = await entry.ready;
        if (template !== undefined && !entry.isOver) {
          const prepared = await template.fork(slotDir, o.mounts);
          entry.living += 1;
          void prepared.sandbox.exited.then(() => release(entry));
          return prepared;
        }
      } catch (err) {
        o.log.warn({ err }, "warm.fork_failed");
        refuse(recipe, "it could not be forked");
        retire(entry);
      } finally {
        release(entry);
      }
      return undefined;
    },
    end(which) {
      for (const entry of entries.values()) if (which(entry.recipe)) retire(entry);
    },
  };
}
