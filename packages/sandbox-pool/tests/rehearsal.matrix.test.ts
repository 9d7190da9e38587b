// Rehearsals in the other versions of Node and Python that agents can ask for.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createRuntimes } from "@dari/builder";
import { canForkRuntime } from "../src/agent-template.ts";
import { checkRehearsal, installSdks } from "./check-rehearsal.ts";
import { closeTemplates } from "./node-template-fixture.ts";
import { nodeCases, pythonCases } from "./rehearsal-cases.ts";

const cacheDir = mkdtempSync(join(tmpdir(), "rehearsal-runtimes-"));
const runtimes = createRuntimes({ cacheDir, env: process.env, allowNearest: true });
const versions = (await runtimes.list()).filter(canForkRuntime);
const rows = versions.flatMap(({ language, version }) => {
  const cases = language === "python" ? pythonCases : nodeCases;
  // What is replaced is noticed in the same way in all versions.
  return cases.filter(({ why }) => why !== "changed").map((one) => ({ ...one, language, version }));
});

beforeAll(installSdks);
afterAll(async () => {
  await closeTemplates();
  rmSync(cacheDir, { recursive: true });
});

test("there are several versions of each language", () => {
  for (const language of ["python", "typescript"]) {
    expect(versions.filter((one) => one.language === language).length).toBeGreaterThan(1);
  }
});

test.each(rows)("$language $version, an agent that changes $title", async ({ language, version, ...one }) => {
  const { command, readOnlyPaths } = await runtimes.resolve(language, version);
  await checkRehearsal(one, { [language === "python" ? "python" : "node"]: command, readOnlyPaths });
});
