// Agents that have been loaded once and are forked for each turn to come: one template for each key, where its recipe
// can make one. A template lives for as long as its key is used, and for as long as anything that was forked from it.

import type { Logger } from "@dari/runtime";
import type { SlotMounts } from "@dari/sandbox";
import { chooseVictims } from "./demand.ts";
import type { WarmRecipe } from "./pool.ts";
import type { WarmSlots } from "./slots.ts";
import type { Prepared } from "./pooled-sandbox.ts";

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
  /**
   * Starts one in the background, unless there is one that is not old, the key's cannot be forked, or another is being
   * started. One that is old is forked until then.
   */
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
const defaultAgeMs = 5 * 60_000;
/** Of one: it can be forked somewhat more often. */
const forksMax = 30_000;

interface TemplatesOptions {
  readonly mounts: SlotMounts;
  readonly slots: WarmSlots;
  /** At once; of more, those end that have not been used for half a minute, the oldest first. */
  readonly max: number;
  readonly hasRoom: () => boolean;
  usedAt(key: string): number;
  /** How old what an import has made becomes before another one is started. Milliseconds; default 5 minutes. */
  readonly ageMs?: number | undefined;
  /** Goes on in the background. */
  finish(work: Promise<void>): void;
  readonly log: Logger;
}

/** Keys whose agents cannot be forked. */
interface Refusals {
  has(key: string): boolean;
  add(recipe: WarmRecipe, why: string): void;
}

/** One template, from its start until nothing of it lives. */
interface Entry {
  readonly recipe: WarmRecipe;
  /** Another one should take its place. */
  readonly isOld: boolean;
  readonly isReady: boolean;
  /** Undefined where it cannot be forked any more, or could not be from the start. Waits until it is started. */
  fork(slotDir: string): Promise<Prepared | undefined>;
  /** Its start is given up, it is forked no more, and ends when nothing that was forked from it lives. Idempotent. */
  retire(): void;
}

export function createWarmTemplates(o: TemplatesOptions): WarmTemplates {
  /** By key; those that are over are in none. */
  const entries = new Map<string, Entry>();
  const refusals = createRefusals(o.log);
  let starting: Entry | undefined;

  function makePlace(): boolean {
    const all = [...entries.values()];
    const unused = all.filter(({ recipe }) => performance.now() - o.usedAt(recipe.key) > usedForMs);
    const victims = chooseVictims(unused, all.length + 1 - o.max, ({ recipe }) => o.usedAt(recipe.key));
    if (all.length - victims.length >= o.max) return false;
    for (const victim of victims) victim.retire();
    return true;
  }

  /** One that is old, or has none to follow it, ends. */
  function start(recipe: WarmRecipe): void {
    const { key } = recipe;
    const entry = startEntry(o, recipe, refusals, (isReady) => {
      if (starting === entry) starting = undefined;
      const known = entries.get(key);
      if (known !== entry) known?.retire();
      if (isReady) entries.set(key, entry);
      else entries.delete(key);
    });
    starting = entry;
    if (!entries.has(key)) entries.set(key, entry);
  }

  return {
    get size() {
      return entries.size;
    },
    want(recipe) {
      const { key } = recipe;
      if (recipe.startTemplate === undefined || starting !== undefined || refusals.has(key) || !o.hasRoom()) return;
      const known = entries.get(key);
      if (known === undefined ? makePlace() : known.isOld) start(recipe);
    },
    isReady: (key) => entries.get(key)?.isReady === true,
    fork: async ({ key }, slotDir) => entries.get(key)?.fork(slotDir),
    end(which) {
      if (starting !== undefined && which(starting.recipe)) starting.retire();
      for (const entry of entries.values()) if (which(entry.recipe)) entry.retire();
    },
  };
}

function createRefusals(log: Logger): Refusals {
  const until = new Map<string, number>();
  return {
    has: (key) => performance.now() < (until.get(key) ?? -Infinity),
    add({ key, group }, why) {
      log.info({ group, why }, "warm.no_template");
      for (const oldest of until.keys()) if (until.size >= refusedMax) until.delete(oldest);
      until.set(key, performance.now() + refusedForMs);
    },
  };
}

/** `onChange`: called when it can be forked, and when it is forked no more. */
function startEntry(
  o: TemplatesOptions,
  recipe: WarmRecipe,
  refusals: Refusals,
  onChange: (isReady: boolean) => void,
): Entry {
  const { log, ageMs = defaultAgeMs } = o;
  const { group } = recipe;
  const startedAt = performance.now();
  const use = createUse();
  const stopping = new AbortController();
  let [isReady, forks] = [false, 0];
  const slot = o.slots.take(recipe.hostUser);
  const ready = load(o, recipe, slot, stopping.signal, refuse);

  function refuse(why: string): void {
    if (!use.isOver) refusals.add(recipe, why);
    retire();
  }

  function retire(): void {
    if (use.isOver) return;
    isReady = false;
    // Who waits for it to be forked waits for nothing, and it would wait for them.
    stopping.abort();
    use.end();
    onChange(false);
  }

  async function fork(slotDir: string): Promise<Prepared | undefined> {
    use.enter();
    try {
      const template = await ready;
      if (template === undefined || use.isOver) return undefined;
      const prepared = await template.fork(slotDir, o.mounts);
      forks += 1;
      use.enter();
      void prepared.sandbox.exited.then(use.leave);
      return prepared;
    } catch (err) {
      log.warn({ err, group }, "warm.fork_failed");
      refuse("it could not be forked");
      return undefined;
    } finally {
      use.leave();
    }
  }

  void ready.then((template) => {
    if (template === undefined || use.isOver) return;
    isReady = true;
    onChange(true);
    log.info({ group, start_ms: Math.round(performance.now() - startedAt) }, "warm.template_ready");
    void template.exited.then(retire);
  });
  o.finish(use.ended.then(() => endTemplate(o, ready, slot)));
  return {
    recipe,
    get isOld() {
      return isReady && (performance.now() - startedAt > ageMs || forks > forksMax);
    },
    get isReady() {
      return isReady;
    },
    fork,
    retire,
  };
}

/** Who needs a template: what was forked from it, or is about to be. */
interface Use {
  /** Resolves once it is over and nobody needs it. */
  readonly ended: Promise<void>;
  readonly isOver: boolean;
  enter(): void;
  leave(): void;
  end(): void;
}

function createUse(): Use {
  const { promise, resolve } = Promise.withResolvers<void>();
  let [isOver, living] = [false, 0];
  const look = (): void => {
    if (isOver && living === 0) resolve();
  };
  return {
    ended: promise,
    get isOver() {
      return isOver;
    },
    enter() {
      living += 1;
    },
    leave() {
      living -= 1;
      look();
    },
    end() {
      isOver = true;
      look();
    },
  };
}

async function endTemplate(
  { slots }: TemplatesOptions,
  ready: Promise<WarmTemplate | undefined>,
  slot: Promise<string>,
): Promise<void> {
  try {
    await (await ready)?.end();
  } finally {
    await slot.then(slots.giveBack, () => undefined);
  }
}

/** Never rejects; says with `refuse` why there is none. */
async function load(
  { mounts, log }: TemplatesOptions,
  recipe: WarmRecipe,
  slot: Promise<string>,
  signal: AbortSignal,
  refuse: (why: string) => void,
): Promise<WarmTemplate | undefined> {
  try {
    const made = await recipe.startTemplate!(await slot, mounts, signal);
    return typeof made === "string" ? void refuse(made) : made;
  } catch (err) {
    log.warn({ err, group: recipe.group }, "warm.template_not_started");
    return void refuse("it could not be started");
  }
}
