// One template, from its start until it and all its forks are dead.

import type { Logger } from "@dari/runtime";
import { LateForkError } from "@dari/sandbox";
import type { Background } from "./background.ts";
import type { SandboxRecipe, Slot, StartedSandbox, Template } from "./recipe.ts";
import type { Slots } from "./slots.ts";

export interface TemplateProcess {
  readonly recipe: SandboxRecipe;
  /** Whether it can be forked now. */
  readonly isReady: boolean;
  /** Whether another template should replace it. */
  readonly isOld: boolean;
  /**
   * Waits until it has loaded its agent. Resolves to undefined if it cannot be forked.
   * @throws LateForkError
   */
  fork(slot: Slot): Promise<StartedSandbox | undefined>;
  /** Stops loading and forking. It ends when none of its forks is alive. Idempotent. */
  retire(): void;
}

export interface TemplateParts {
  readonly slots: Slots;
  readonly background: Background;
  readonly log: Logger;
  /**
   * A template of this age is replaced, because its imports may be out of date. In milliseconds (default: 5 minutes).
   */
  readonly templateAgeMs?: number | undefined;
}

const defaultAgeMs = 5 * 60_000;
/** Slightly below the number of times that a template can be forked. */
const forksMax = 30_000;

/**
 * Starts a template. `onReady` is called when it can be forked, and `onRetired` when it can no longer be forked, with
 * the reason if its agent cannot be forked at all.
 */
export function startTemplateProcess(
  { slots, background, log, templateAgeMs = defaultAgeMs }: TemplateParts,
  recipe: SandboxRecipe,
  o: { onReady(): void; onRetired(unforkable: string | undefined): void },
): TemplateProcess {
  const { group } = recipe;
  const startedAt = performance.now();
  const uses = countUses();
  const stopping = new AbortController();
  let [isReady, isRetired, wasLate, forks] = [false, false, false, 0];
  const slot = slots.allocate(recipe.hostUser);
  const loaded = load(recipe, slot, stopping.signal, log);

  function retire(unforkable?: string): void {
    if (isRetired) return;
    [isReady, isRetired] = [false, true];
    // Callers of `fork` wait for it to load, and its end waits for them.
    stopping.abort();
    uses.close();
    o.onRetired(unforkable);
  }

  async function fork(given: Slot): Promise<StartedSandbox | undefined> {
    uses.add();
    try {
      const template = await loaded;
      if (typeof template === "string" || isRetired) return undefined;
      const started = await template.fork(given);
      forks += 1;
      uses.add();
      void started.sandbox.exited.then(uses.remove);
      return { ...started, isFit: () => !wasLate };
    } catch (err) {
      log.warn({ err, group }, "warm.fork_failed");
      if (!(err instanceof LateForkError)) return (retire("it could not be forked"), undefined);
      wasLate = true;
      // The machine may be at fault, so another template of the agent may be loaded.
      retire();
      throw err;
    } finally {
      uses.remove();
    }
  }

  void loaded.then((template) => {
    if (typeof template === "string") return retire(template);
    if (isRetired) return;
    isReady = true;
    o.onReady();
    log.info({ group, start_ms: Math.round(performance.now() - startedAt) }, "warm.template_ready");
    void template.exited.then(() => retire());
  });
  background.run(uses.ended.then(() => end(loaded, slot, slots)));
  return {
    recipe,
    get isReady() {
      return isReady;
    },
    get isOld() {
      return isReady && (performance.now() - startedAt > templateAgeMs || forks > forksMax);
    },
    fork,
    retire: () => retire(),
  };
}

async function end(loaded: Promise<Template | string>, slot: Promise<Slot>, slots: Slots): Promise<void> {
  try {
    const template = await loaded;
    if (typeof template !== "string") await template.end();
  } finally {
    await slot.then(slots.release, () => undefined);
  }
}

/** Resolves with the reason if the agent cannot be forked. Never rejects. */
async function load(
  recipe: SandboxRecipe,
  slot: Promise<Slot>,
  signal: AbortSignal,
  log: Logger,
): Promise<Template | string> {
  try {
    return await recipe.startTemplate!(await slot, signal);
  } catch (err) {
    log.warn({ err, group: recipe.group }, "warm.template_not_started");
    return "it could not be started";
  }
}

interface Uses {
  add(): void;
  remove(): void;
  /** From now on, the last `remove` resolves `ended`. */
  close(): void;
  readonly ended: Promise<void>;
}

/** Counts the forks that are alive, and those that are being made. */
function countUses(): Uses {
  const { promise, resolve } = Promise.withResolvers<void>();
  let [isClosed, count] = [false, 0];
  const settle = (): void => {
    if (isClosed && count === 0) resolve();
  };
  return {
    ended: promise,
    add: () => void (count += 1),
    remove() {
      count -= 1;
      settle();
    },
    close() {
      isClosed = true;
      settle();
    },
  };
}
