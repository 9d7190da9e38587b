// Modules that do harm while they are loaded. Each is either not forked, with the reason, or its forks are turns like
// any other: nothing of one is in the next, and none hangs.

import { afterAll, expect, test } from "@jest/globals";
import { fileURLToPath } from "node:url";
import { closeTemplates, hold, run } from "./node-template-fixture.ts";

const path = fileURLToPath(new URL("programs/hostile-modules.mjs", import.meta.url));
const { before, unforkable, forked } = (await import(path)) as {
  before: string;
  unforkable: [title: string, code: string, why: RegExp][];
  forked: [title: string, code: string, seen: object][];
};

afterAll(closeTemplates);

test.each(unforkable)("%s: not forked", async (_title, code, why) => {
  const held = await hold(`${before}\n${code}`);
  expect(held.why).toMatch(why);
  await held.template.kill();
});

test.each(forked)("%s: each turn is the first one", async (_title, code, seen) => {
  const held = await hold(`${before}\n${code}`);
  expect(held.why).toBeUndefined();
  for (let i = 0; i < 2; i += 1) {
    expect(await run(held, "")).toMatchObject({ answer: { turns: 1, cwd: "/workspace", ...seen } });
  }
  await held.template.kill();
});
