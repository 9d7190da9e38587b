// One sandbox that waits for a turn: how it gets there, who may take it, how it ends.

import type { Logger } from "@dari/runtime";
import type { Sandbox } from "@dari/sandbox";
import type { WarmPoolOptions, WarmRecipe } from "./pool.ts";
import type { WarmSlots } from "./slots.ts";
import type { WarmTemplates } from "./templates.ts";

export interface Prepared {
  readonly sandbox: Sandbox;
  /** Called when the sandbox is dead: gives back what was held for it. */
  release(): void;
}

/** A sandbox that waited and is now one turn's. */
export interface Taken<P extends Prepared = Prepared> {
  readonly prepared: P;
  /**
   * Whether it is dead, has written where the turn's files will lie while they did not, or has run when it was to rest.
   */
  isSpoilt(): Promise<boolean>;
  /** Kills it; what it leaves is removed in the background. Idempotent. */
  end(): Promise<void>;
}

export interface Waiting {
  readonly recipe: WarmRecipe;
  /** Undefined: it could not be started. */
  readonly ready: Promise<Prepared | undefined>;
  isSpoilt(): Promise<boolean>;
  end(): Promise<void>;
}

export interface Shelf {
  readonly waiting: Set<Waiting>;
  /** Ends it in the background. */
  drop(one: Waiting): void;
  /** Goes on in the background until `ended`. */
  finish(work: Promise<void>): void;
  /** Resolves when everything that was dropped has ended. */
  ended(): Promise<void>;
}

export function createShelf(log: Logger): Shelf {
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

/**
 * For a turn that has come: only what runs in a slot of its own can serve another one. Undefined where it cannot serve
 * this one.
 */
export async function startNow(
  one: Waiting,
  drop: (one: Waiting) => void,
  signal: AbortSignal,
): Promise<Taken | undefined> {
  const taken = await take(one, signal);
  if (taken === undefined) drop(one);
  return taken;
}

/** Undefined where it can serve no turn, or nobody waits for it any more. It may be waiting for its agent's import. */
export async function take(one: Waiting, signal: AbortSignal): Promise<Taken | undefined> {
  const prepared = await readyOrAborted(one, signal);
  if (prepared === undefined || (await one.isSpoilt())) return undefined;
  return { prepared, isSpoilt: () => one.isSpoilt(), end: () => one.end() };
}

function readyOrAborted({ ready }: Waiting, signal: AbortSignal): Promise<Prepared | undefined> {
  const { promise, resolve } = Promise.withResolvers<Prepared | undefined>();
  const giveUp = (): void => resolve(undefined);
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp);
  // Never rejects.
  void ready.then(resolve).finally(() => signal.removeEventListener("abort", giveUp));
  return promise;
}

/** Where its agent is to be loaded ahead it is forked from what has loaded it, if anything has. */
export function startWaiting(
  { mounts, log }: WarmPoolOptions,
  { slots, shelf, templates }: { slots: WarmSlots; shelf: Shelf; templates: WarmTemplates },
  recipe: WarmRecipe,
  when: { readonly isAhead: boolean },
): Waiting {
  const slot = slots.take(recipe.hostUser);
  let ended: Promise<void> | undefined;
  const prepare = async (slotDir: string): Promise<Prepared | undefined> => {
    const forked = when.isAhead ? await templates.fork(recipe, slotDir) : undefined;
    // What was dropped meanwhile is not started: it may be for a credential that has been replaced.
    if (forked !== undefined || ended !== undefined) return forked;
    return await recipe.prepare(slotDir, mounts, when);
  };
  const ready = slot.then(prepare).catch((err: unknown) => void log.warn({ err }, "warm.not_started"));
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
  return {
    recipe,
    ready,
    async isSpoilt() {
      const isUntouched = await mounts.isUntouched(await slot).catch(() => false);
      const isStill = (await (await ready)?.sandbox.isStill?.()) ?? true;
      return isGone || !isUntouched || !isStill;
    },
    end: () => (ended ??= end()),
  };
}
