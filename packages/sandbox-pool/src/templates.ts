// The templates of the pool: at most one ready template for each key, and one that is being started.

import { leastRecentlyUsed } from "./demand.ts";
import type { SandboxRecipe, Slot, StartedSandbox } from "./recipe.ts";
import { startTemplateProcess, type TemplateParts, type TemplateProcess } from "./template-process.ts";

export interface Templates {
  readonly size: number;
  /**
   * Starts a template in the background, if the recipe allows one, the key has none or an old one, and no other is
   * being started. An old template is forked until its successor is ready.
   */
  request(recipe: SandboxRecipe): void;
  /** Whether the key's template can be forked at once. */
  isReady(key: string): boolean;
  /** Whether the key's first template is being loaded. */
  isLoading(key: string): boolean;
  /**
   * Forks the key's template, once it is ready. Resolves to undefined if there is none, or it cannot be forked.
   * @throws LateForkError
   */
  fork(recipe: SandboxRecipe, slot: Slot): Promise<StartedSandbox | undefined>;
  /** Retires the templates that match. Each ends with its last fork. */
  retireWhere(matches: (recipe: SandboxRecipe) => boolean): void;
}

export interface TemplatesOptions extends TemplateParts {
  /** Maximum number of templates. For another one, the least recently used is retired. */
  readonly max: number;
  readonly hasFreeMemory: () => boolean;
  usedAt(key: string): number;
}

/**
 * After this time, an agent that could not be forked is tried again: its imports may depend on other things. In
 * milliseconds.
 */
const unforkableForMs = 10 * 60_000;
const unforkableMax = 1_024;
/**
 * A template that was used within this time is not retired for another one. Otherwise, with more agents than places,
 * each template would be loaded in vain. In milliseconds.
 */
const usedForMs = 30_000;

export function createTemplates(o: TemplatesOptions): Templates {
  /** By key. Retired templates are not in it. */
  const templates = new Map<string, TemplateProcess>();
  /** The time before which a key is not tried again. */
  const unforkable = new Map<string, number>();
  let starting: TemplateProcess | undefined;

  const isUnforkable = (key: string): boolean => performance.now() < (unforkable.get(key) ?? -Infinity);

  function rememberUnforkable({ key, group }: SandboxRecipe, why: string): void {
    o.log.info({ group, why }, "warm.no_template");
    for (const oldest of unforkable.keys()) if (unforkable.size >= unforkableMax) unforkable.delete(oldest);
    unforkable.set(key, performance.now() + unforkableForMs);
  }

  /** Returns whether there is a place for one more. */
  function makePlace(): boolean {
    const all = [...templates.values()];
    const unused = all.filter(({ recipe }) => performance.now() - o.usedAt(recipe.key) > usedForMs);
    const evicted = leastRecentlyUsed(unused, all.length + 1 - o.max, ({ recipe }) => o.usedAt(recipe.key));
    if (all.length - evicted.length >= o.max) return false;
    for (const each of evicted) each.retire();
    return true;
  }

  function start(recipe: SandboxRecipe): void {
    const { key } = recipe;
    // If the new template fails, the old one is retired as well: it would soon be too old.
    const replaceOld = (): void => {
      if (starting === started) starting = undefined;
      const known = templates.get(key);
      if (known !== started) known?.retire();
    };
    const started = startTemplateProcess(o, recipe, {
      onReady() {
        replaceOld();
        templates.set(key, started);
      },
      onRetired(why) {
        if (why !== undefined) rememberUnforkable(recipe, why);
        replaceOld();
        templates.delete(key);
      },
    });
    starting = started;
    if (!templates.has(key)) templates.set(key, started);
  }

  return {
    get size() {
      return templates.size;
    },
    request(recipe) {
      const { key } = recipe;
      const canStart = starting === undefined && !isUnforkable(key) && o.hasFreeMemory();
      if (recipe.startTemplate === undefined || !canStart) return;
      const known = templates.get(key);
      if (known === undefined ? makePlace() : known.isOld) start(recipe);
    },
    isReady: (key) => templates.get(key)?.isReady === true,
    isLoading: (key) => templates.get(key)?.isReady === false,
    fork: async ({ key }, slot) => templates.get(key)?.fork(slot),
    retireWhere(matches) {
      if (starting !== undefined && matches(starting.recipe)) starting.retire();
      for (const template of templates.values()) if (matches(template.recipe)) template.retire();
    },
  };
}
