// One sandbox of the pool, from its start until all its processes are dead.

import type { Logger } from "@dari/runtime";
import { LateForkError } from "@dari/sandbox";
import type { Background } from "./background.ts";
import type { SandboxRecipe, Slot, StartedSandbox } from "./recipe.ts";
import type { Slots } from "./slots.ts";

export interface PooledSandbox {
  readonly recipe: SandboxRecipe;
  /**
   * - `waiting`: it waits for a turn. It may still be starting, or be stopped after a turn.
   * - `serving`: it belongs to one turn.
   * - `ended`: it is dead, or being killed.
   */
  readonly state: "waiting" | "serving" | "ended";
  /** Whether it was kept after a turn, so that it serves only the session of that turn. */
  readonly wasKept: boolean;
  /** Whether its agent is loaded, or being loaded, before the files of the turn are mounted. */
  readonly isAgentLoaded: boolean;
  /** Resolves to undefined if it could not be started. Never rejects. */
  readonly started: Promise<StartedSandbox | undefined>;
  /**
   * Gives it to a turn. Resolves to undefined if it cannot serve one, or if `signal` aborts first: it may still be
   * starting. It must be ended then.
   */
  assign(signal: AbortSignal): Promise<ServingSandbox | undefined>;
  /** Keeps it for the session's next turn. It must be at rest. */
  keep(): void;
  /**
   * Whether it cannot serve a turn: it is dead, it has written to its empty slot, something in it ran while it was at
   * rest, or its template has not answered in time.
   */
  isUnusable(): Promise<boolean>;
  /** Kills it. Its files are removed in the background. Idempotent. */
  end(): Promise<void>;
}

/** A sandbox that serves a turn. */
export interface ServingSandbox {
  readonly pooled: PooledSandbox;
  readonly started: StartedSandbox;
}

export interface PooledSandboxParts {
  /** The sandboxes of the pool that have not been ended. */
  readonly sandboxes: Set<PooledSandbox>;
  readonly slots: Slots;
  readonly background: Background;
  readonly log: Logger;
  /** Resolves to undefined if there is no template for the recipe. @throws LateForkError */
  fork(recipe: SandboxRecipe, slot: Slot): Promise<StartedSandbox | undefined>;
  /** Called if it cannot be started, or dies, while it waits for a turn. */
  onLost(one: PooledSandbox, why: string): void;
}

const notStarted = "it could not be started";

/** Starts a sandbox. With `isPreload` it is forked if the recipe has a template. */
export function startPooledSandbox(
  { sandboxes, slots, background, log, fork, onLost }: PooledSandboxParts,
  recipe: SandboxRecipe,
  { isPreload }: { readonly isPreload: boolean },
): PooledSandbox {
  const slot = slots.allocate(recipe.hostUser);
  let state: PooledSandbox["state"] = "waiting";
  let [isDead, wasKept] = [false, false];
  /** `settled`: settles once a late fork no longer uses the slot. */
  let [ended, settled]: [ended?: Promise<void>, settled?: Promise<void>] = [];

  async function start(given: Slot): Promise<StartedSandbox | undefined> {
    const forked = isPreload ? await fork(recipe, given) : undefined;
    // It may have ended because a credential was replaced, so do not start it with the old one.
    return forked !== undefined || ended !== undefined ? forked : await recipe.start(given, { isPreload });
  }

  const started = slot.then(start).catch((err: unknown) => {
    if (err instanceof LateForkError) ({ settled } = err);
    return void log.warn({ err }, "warm.not_started");
  });
  void started.then(async (sandbox) => {
    await sandbox?.sandbox.exited;
    isDead = true;
    if (state === "waiting") onLost(pooled, sandbox === undefined ? notStarted : "it ended while it waited");
  });

  async function kill(): Promise<void> {
    state = "ended";
    sandboxes.delete(pooled);
    const sandbox = await started;
    try {
      await sandbox?.sandbox.kill();
    } finally {
      sandbox?.release();
      background.run(releaseSlot(slots, slot, settled));
    }
  }

  const pooled: PooledSandbox = {
    recipe,
    started,
    get state() {
      return state;
    },
    get wasKept() {
      return wasKept;
    },
    get isAgentLoaded() {
      return isPreload || wasKept;
    },
    async assign(signal) {
      state = "serving";
      const sandbox = await startedOrAborted(started, signal);
      return sandbox === undefined || (await pooled.isUnusable()) ? undefined : { pooled, started: sandbox };
    },
    keep() {
      state = "waiting";
      wasKept = true;
    },
    async isUnusable() {
      const { slotDir, mounts } = await slot;
      const isUntouched = await mounts.isUntouched(slotDir).catch(() => false);
      return isDead || !isUntouched || !(await canServeOn(await started));
    },
    end: () => (ended ??= kill()),
  };
  sandboxes.add(pooled);
  return pooled;
}

/** Returns whether nothing in a stopped sandbox has run, and its template answers. */
async function canServeOn(one: StartedSandbox | undefined): Promise<boolean> {
  return one === undefined || (((await one.sandbox.isStill?.()) ?? true) && one.isFit?.() !== false);
}

async function releaseSlot(slots: Slots, slot: Promise<Slot>, settled: Promise<void> | undefined): Promise<void> {
  const made = await slot.catch(() => undefined);
  await settled;
  if (made !== undefined) await slots.release(made);
}

function startedOrAborted(
  started: Promise<StartedSandbox | undefined>,
  signal: AbortSignal,
): Promise<StartedSandbox | undefined> {
  const { promise, resolve } = Promise.withResolvers<StartedSandbox | undefined>();
  const giveUp = (): void => resolve(undefined);
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp);
  void started.then(resolve).finally(() => signal.removeEventListener("abort", giveUp));
  return promise;
}
