// Templates that cannot fork, are killed or do not answer: turns run without them.

import { expect, test } from "@jest/globals";
import { existsSync, readFileSync } from "node:fs";
import { waitForGuest } from "@dari/harness";
import { waitUntil } from "@dari/testkit";
import type { ServingSandbox } from "../src/pooled-sandbox.ts";
import type { SandboxRecipe } from "../src/recipe.ts";
import { coldTurn, logged, openPool, pool, recipe, told, turn, useTemplatePool } from "./python-template-fixture.ts";

useTemplatePool();

test.each([
  ["threads.py", "its code has started threads"],
  ["opens.py", "its code has opened files or connections and keeps them"],
  ["writes.py", "it wrote"],
  ["scratch.py", "its code has made files in /tmp or /dev/shm"],
  ["breaks.py", "its code cannot be loaded"],
])("what cannot be forked is loaded for each turn, and the log says why: %s", async (file, why) => {
  openPool();
  const wanted = recipe({ file });
  await coldTurn(wanted);
  await waitUntil(() => logged.some(({ msg }) => msg === "warm.no_template"), { what: "the reason" });
  expect(logged.find(({ msg }) => msg === "warm.no_template")).toMatchObject({ why });
  const before = logged.length;
  if (file === "threads.py") {
    const [one, two] = [await turn(wanted), await turn(wanted)];
    expect(one.loaded).not.toBe(two.loaded);
    expect(pool.counts).toMatchObject({ hits: 2, templates: 0 });
  }
  expect(logged.slice(before).filter(({ msg }) => msg === "warm.no_template")).toEqual([]);
});

test("a template that does more than fork is forked once, and its turns continue without it", async () => {
  openPool();
  const wanted = recipe({ file: "logs.py" });
  await coldTurn(wanted);
  const one = await turn(wanted);
  await waitUntil(() => logged.some(({ msg }) => msg === "warm.fork_failed"), { what: "the second fork" });
  const two = await turn(wanted);
  expect(one.loaded).not.toBe(two.loaded);
  expect(pool.counts).toMatchObject({ hits: 2, misses: 1, templates: 0 });
});

test("turns start their own sandboxes after the template was killed", async () => {
  openPool();
  const wanted = recipe();
  let pid = 0;
  const watched: SandboxRecipe = {
    ...wanted,
    async startTemplate(...given) {
      const made = await wanted.startTemplate!(...given);
      if (typeof made === "string") return made;
      return { ...made, fork: async (slot) => made.fork(slot).then((one) => ((pid = one.sandbox.pid), one)) };
    },
  };
  await coldTurn(watched);
  await waitUntil(() => pid !== 0, { what: "a fork" });
  const parent = Number(/PPid:\t(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
  process.kill(parent, "SIGKILL");
  await waitUntil(() => pool.counts.templates === 0, { what: "the end of the template" });
  await waitUntil(() => pool.counts.preloaded === 0, { what: "the end of its children" });
  expect(await pool.beginTurn(watched)).toBeUndefined();
  pool.endTurn(watched, { isPreloadable: true });
});

/** Begins turns of one agent. The template of the last one does not answer from then on. */
async function beginBehindStuckTemplate(wanted: SandboxRecipe): Promise<{ running: ServingSandbox; holder: number }> {
  await coldTurn(wanted);
  await coldTurn(wanted);
  await waitUntil(() => logged.some(({ msg }) => msg === "warm.template_ready"), { what: "the template" });
  const running = (await pool.beginTurn(wanted))!;
  const { pid, channel } = running.started.sandbox;
  expect(await waitForGuest(channel, new AbortController().signal)).toBe(true);
  expect(running.started.isFit!()).toBe(true);
  const holder = Number(/TracerPid:\t(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
  process.kill(holder, "SIGSTOP");
  expect(await pool.beginTurn(wanted)).toBeUndefined();
  expect(pool.counts.templates).toBe(0);
  return { running, holder };
}

async function expectEnded(wanted: SandboxRecipe, holder: number): Promise<void> {
  for (const _ of [1, 2]) pool.endTurn(wanted, { isPreloadable: true });
  await pool.close();
  expect(existsSync(`/proc/${holder}`)).toBe(false);
}

test("a late fork ends no running turn, and its slot is not used before its child has ended", async () => {
  openPool({ busyAtTurns: 0 });
  const usual = recipe();
  let started = 0;
  const wanted: SandboxRecipe = { ...usual, start: (...given) => ((started += 1), usual.start(...given)) };
  const { running, holder } = await beginBehindStuckTemplate(wanted);
  expect(started).toBe(0);
  // It is not kept for another turn, so that the template ends.
  expect(await running.pooled.isUnusable()).toBe(true);
  expect((await told(running)).now).toEqual(["input", "left", "output"]);
  await expectEnded(wanted, holder);
});

test("an agent that ends behind a template that does not answer has no known exit", async () => {
  openPool({ busyAtTurns: 0 });
  const wanted = recipe({ name: "crash" });
  const { running, holder } = await beginBehindStuckTemplate(wanted);
  expect(await told(running, "crash")).toMatchObject({ kind: "failed", lacksExit: true });
  expect(running.started.isFit!()).toBe(false);
  await expectEnded(wanted, holder);
});
