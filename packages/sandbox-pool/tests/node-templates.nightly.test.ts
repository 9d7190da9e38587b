// Forks of the older versions of Node that agents can ask for.

import { afterAll, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRuntimes } from "@dari/builder";
import { canForkRuntime } from "../src/agent-template.ts";
import { checkCompiledAhead, checkForks, checkPageTables, closeTemplates } from "./node-template-fixture.ts";

const cacheDir = mkdtempSync(join(tmpdir(), "node-runtimes-"));
const runtimes = createRuntimes({ cacheDir, env: process.env, allowNearest: true });
const versions = (await runtimes.list()).filter((one) => one.language === "typescript" && canForkRuntime(one));

afterAll(async () => {
  await closeTemplates();
  rmSync(cacheDir, { recursive: true });
});

test("there are several versions", () => {
  expect(versions.length).toBeGreaterThan(1);
});

test.each(versions)("Node $version", async ({ version }) => {
  const { command } = await runtimes.resolve("typescript", version);
  await checkForks(command);
  await checkCompiledAhead(command);
  await checkPageTables(command);
});
