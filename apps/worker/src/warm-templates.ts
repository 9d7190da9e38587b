// Agents that have been loaded once and are forked for each turn to come: one template for each key, where its recipe
// can make one. A template lives for as long as its key is used, and for as long as anything that was forked from it.

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

/** An agent that cannot be forked is asked again after so long: what it does at its import may depend on others. */
const refusedForMs = 10 * 60_000;
const refusedMax = 1_024;
/**
 * Used in this time, one does not give way to another: among more agents than there are places for, each would be
 * loaded for nothing.
 */
const usedForMs = 30_000;

interface TemplatesOptions {
  readonly mounts: SlotMounts;
  readonly slots: WarmSlots;
  /** At once; of more, those end that have not been used for half a minute, the oldest first. */
  readonly max: number;
  readonly hasRoom: () => boolean;
  usedAt(key: string): number;
  /** Goes on in the background. */
  finish(work: Promise<void>): void;
  readonly log: Logger;
}

/** Keys whose agents cannot be forked. */
interface Refusals {
  has(key: string): boolean;
  add(key: string, why: string): void;
}

/** One template, from its start until nothing of it lives. */
interface Entry {
  readonly recipe: WarmRecipe;
  readonly isReady: boolean;
  /** Undefined where it cannot be forked any more, or could not be from the start. Waits until it is started. */
  fork(slotDir: string): Promise<Prepared | undefined>;
  /** It is forked no more, and ends when nothing that was forked from it lives. Idempotent. */
  retire(): void;
}

export function createWarmTemplates(o: TemplatesOptions): WarmTemplates {
  /** By key; those that are over are in none. */
  const entries = new Map<string, Entry>();
  const refusals = createRefusals(o.log);

  function makePlace(): boolean {
    const all = [...entries.values()];
    const unused = all.filter(({ recipe }) => performance.now() - o.usedAt(recipe.key) > usedForMs);
    const victims = chooseVictims(unused, all.length + 1 - o.max, ({ recipe }) => o.usedAt(recipe.key));
    if (all.length - victims.length >= o.max) return false;
    for (const victim of victims) victim.retire();
    return true;
  }

  return {
    get size() {
      return entries.size;
    },
    want(recipe) {
      const { key } = recipe;
      if (recipe.startTemplate === undefined || entries.has(key) || refusals.has(key) || !o.hasRoom()) return;
      if ([...entries.values()].some((one) => !one.isReady) || !makePlace()) return;
      const entry = startEntry(o, recipe, refusals, () => {
        if (entries.get(key) === entry) entries.delete(key);
      });
      entries.set(key, entry);
    },
    isReady: (key) => entries.get(key)?.isReady === true,
    fork: async ({ key }, slotDir) => entries.get(key)?.fork(slotDir),
    end(which) {
      for (const entry of entries.values()) if (which(entry.recipe)) entry.retire();
    },
  };
}

function createRefusals(log: Logger): Refusals {
  const until = new Map<string, number>();
  return {
    has: (key) => performance.now() < (until.get(key) ?? -Infinity),
    add(key, why) {
      log.info({ why }, "warm.no_template");
      for (const oldest of until.keys()) if (until.size >= refusedMax) until.delete(oldest);
      until.set(key, performance.now() + refusedForMs);
    },
  };
}

/** `onOver`: called once, when it is forked no more. */
function startEntry(o: TemplatesOptions, recipe: WarmRecipe, refusals: Refusals, onOver: () => void): Entry {
  const { mounts, log } = o;
  const unused = Promise.withResolvers<void>();
  const stopping = new AbortController();
  let [isReady, isOver, living] = [false, false, 0];
  const slot = o.slots.take();
  const ready = load(o, recipe, slot, stopping.signal, refuse);

  function refuse(why: string): void {
    if (!isOver) refusals.add(recipe.key, why);
    retire();
  }

  function retire(): void {
    if (isOver) return;
    isOver = true;
    if (living === 0) unused.resolve();
    onOver();
  }

  function letGo(): void {
    living -= 1;
    if (isOver && living === 0) unused.resolve();
  }

  async function endOnceUnused(): Promise<void> {
    await unused.promise;
    stopping.abort();
    try {
      await (await ready)?.end();
    } finally {
      await slot.then(o.slots.giveBack, () => undefined);
    }
  }

  async function fork(slotDir: string): Promise<Prepared | undefined> {
    living += 1;
    try {
      const template = await ready;
      if (template === undefined || isOver) return undefined;
      const prepared = await template.fork(slotDir, mounts);
      living += 1;
      void prepared.sandbox.exited.then(letGo);
      return prepared;
    } catch (err) {
      log.warn({ err }, "warm.fork_failed");
      refuse("it could not be forked");
      return undefined;
    } finally {
      letGo();
    }
  }

  void ready.then((template) => {
    isReady = template !== undefined;
    void template?.exited.then(retire);
  });
  o.finish(endOnceUnused());
  return {
    recipe,
    get isReady() {
      return isReady;
    },
    fork,
    retire,
  };
}

/** Never rejects; says with `refuse` why there is none. */
async function load(
  { mounts, log }: TemplatesOptions,
  recipe: WarmRecipe,
  slot: Promise<string>,
  signal: AbortSignal,
  refuse: (why: string) => void,
): Promise<WarmTemplate | undefined> {
  const startedAt = performance.now();
  try {
    const made = await recipe.startTemplate!(await slot, mounts, signal);
    if (typeof made === "string") return void refuse(made);
    log.info({ start_ms: Math.round(performance.now() - startedAt) }, "warm.template_ready");
    return made;
  } catch (err) {
    log.warn({ err }, "warm.template_not_started");
    return void refuse("it could not be started");
  }
}
