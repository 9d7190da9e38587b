// Templates: an agent is loaded once and forked for each of its turns.

import { expect, test } from "@jest/globals";
import { existsSync } from "node:fs";
import { waitUntil } from "@dari/testkit";
import type { SandboxRecipe } from "../src/recipe.ts";
import {
  coldTurn,
  logged,
  openPool,
  pool,
  pythons,
  recipe,
  told,
  turn,
  useTemplatePool,
} from "./python-template-fixture.ts";

useTemplatePool();

test.each(pythons)("Python %s: an agent is loaded once, and each of its turns has its own fork", async (version) => {
  openPool();
  const wanted = recipe({ name: "leave", version });
  await coldTurn(wanted);
  const [one, two, three] = [await turn(wanted), await turn(wanted), await turn(wanted)];
  expect(new Set([one, two, three].map(({ loaded }) => loaded)).size).toBe(1);
  expect(new Set([one, two, three].map(({ drawn }) => drawn)).size).toBe(3);
  expect(new Set([one, two, three].map(({ pid }) => pid)).size).toBe(3);
  for (const each of [one, two, three]) {
    expect(each).toMatchObject({ now: ["input", "left", "output"], tmp: ["left"], threads: 2, own: true });
  }
  expect(pool.counts).toMatchObject({ hits: 3, misses: 1, templates: 1 });
});

test("two concurrent turns are forked from one template", async () => {
  openPool();
  const wanted = recipe();
  await Promise.all([pool.beginTurn(wanted), pool.beginTurn(wanted)]);
  for (const _ of [1, 2]) pool.endTurn(wanted, { isPreloadable: true });
  await waitUntil(() => pool.counts.preloaded === 2, { what: "both to wait" });
  const [one, other] = await Promise.all([pool.beginTurn(wanted), pool.beginTurn(wanted)]);
  const [first, second] = [await told(one), await told(other)];
  expect(first.loaded).toBe(second.loaded);
  expect(first.pid).not.toBe(second.pid);
});

test("a busy worker preloads nothing, but forks a sandbox for each turn from the third on", async () => {
  openPool({ busyAtTurns: 0 });
  const wanted = recipe();
  await coldTurn(wanted);
  expect(pool.counts.templates).toBe(0);
  await coldTurn(wanted);
  await waitUntil(() => logged.some(({ msg }) => msg === "warm.template_ready"), { what: "the template" });
  const [one, two] = [await turn(wanted), await turn(wanted)];
  expect(one.loaded).toBe(two.loaded);
  expect(pool.counts).toMatchObject({ preloaded: 0, hits: 0, misses: 4, forked: 2 });
});

test("in a burst in which no turn ends, the turns wait for one template and are forked from it", async () => {
  openPool({ busyAtTurns: 1 });
  const wanted = recipe();
  const begun = await Promise.all([1, 2, 3, 4].map(() => pool.beginTurn(wanted)));
  const loaded = new Set<string>();
  for (const one of begun) loaded.add((await told(one)).loaded);
  expect(loaded.size).toBe(1);
  for (const _ of [1, 2, 3, 4]) pool.endTurn(wanted, { isPreloadable: true });
  expect(pool.counts).toMatchObject({ misses: 4, forked: 4, templates: 1 });
});

test("a replaced credential ends the template and preloaded sandboxes, and not the running turn", async () => {
  openPool();
  const old = recipe({ secret: "old" });
  await coldTurn(old);
  const running = await pool.beginTurn(old);
  const { pid } = running!.started.sandbox;
  const changed = recipe({ secret: "new" });
  await coldTurn(changed);
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  expect((await told(running)).now).toEqual(["input", "left", "output"]);
  pool.endTurn(old, { isPreloadable: true });
  const said = await turn(changed);
  expect(said.loaded).not.toBe("");
  expect(await pool.beginTurn(old)).toBeUndefined();
  pool.endTurn(old, { isPreloadable: false });
});

test("templates are limited in number, and there is none while memory is short", async () => {
  let hasFreeMemory = true;
  openPool({ hasFreeMemory: () => hasFreeMemory, reviewEveryMs: 10 });
  for (const group of ["a", "b", "c"]) {
    await coldTurn(recipe({ group }));
    await turn(recipe({ group }));
  }
  expect(pool.counts.templates).toBe(2);
  expect(logged.filter(({ msg }) => msg === "warm.template_ready")).toHaveLength(2);
  hasFreeMemory = false;
  await waitUntil(() => pool.counts.templates === 0 && pool.counts.preloaded === 0, { what: "all to end" });
  await coldTurn(recipe({ group: "c" }));
  expect(pool.counts.templates).toBe(0);
});

test("closing the pool ends a template that is still loading", async () => {
  openPool();
  await coldTurn(recipe());
  expect(pool.counts.templates).toBe(1);
  await pool.close();
  expect(pool.counts).toMatchObject({ templates: 0, preloaded: 0 });
});

test("an old template is replaced by a new one", async () => {
  openPool({ templateAgeMs: 0 });
  const wanted = recipe();
  const ready = (count: number): boolean => logged.filter(({ msg }) => msg === "warm.template_ready").length >= count;
  await coldTurn(wanted);
  const one = await turn(wanted);
  await waitUntil(() => ready(2), { what: "the second template" });
  await turn(wanted);
  const three = await turn(wanted);
  expect(three.loaded).not.toBe(one.loaded);
  expect(pool.counts).toMatchObject({ hits: 3, misses: 1, templates: 1 });
});

test("a turn that waits for an endless import can be cancelled, and nothing is started for it afterwards", async () => {
  openPool();
  let started = 0;
  const { start, ...rest } = recipe({ file: "hangs.py", secret: "old" });
  const hanging: SandboxRecipe = { ...rest, start: (...given) => ((started += 1), start(...given)) };
  await coldTurn(hanging);
  const cancelling = new AbortController();
  const cancelled = pool.beginTurn(hanging, cancelling.signal);
  cancelling.abort();
  expect(await cancelled).toBeUndefined();
  pool.endTurn(hanging, { isPreloadable: true });
  expect(await pool.beginTurn(recipe({ secret: "new" }))).toBeUndefined();
  await pool.close();
  expect(pool.counts).toMatchObject({ templates: 0, preloaded: 0 });
  expect(started).toBe(0);
});
