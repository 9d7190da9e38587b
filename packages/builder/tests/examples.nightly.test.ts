// The examples without packages are built, on the runtimes that they ask for. Those with a whole SDK are built where
// they also run: apps/lab/tests.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { filesBelow, openBuilds } from "./build-fixture.ts";

test("the examples without packages build", async () => {
  await using builds = await openBuilds();
  const examples = new URL("../../../examples/", import.meta.url).pathname;
  const names = (await readdir(examples)).filter((entry) => entry.startsWith("support-agent"));
  expect(names).toHaveLength(2);
  for (const name of names) {
    const { result, log } = await builds.build(await filesBelow(join(examples, name)));
    expect({ name, ok: result.ok, log }).toEqual({ name, ok: true, log });
  }
}, 300_000);
