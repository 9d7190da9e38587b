// The example `openai-client`: both of its programs with the packages that they name, against a running platform.

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { filesOf } from "../src/conversation.ts";
import { run } from "../src/curl.ts";
import { deployFiles } from "../src/deploy-files.ts";
import { npmPackage } from "../src/npm-programs.ts";
import { checkout } from "../src/program.ts";
import { pythonEnvironment } from "../src/python-environment.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";

const example = path.join(checkout, "examples/openai-client");
const dir = mkdtempSync(path.join(tmpdir(), "dari-openai-client-"));
let platform: StandaloneProcess;

beforeAll(async () => {
  cpSync(example, dir, { recursive: true });
  platform = await startStandalone();
  await deployFiles(platform, filesOf(path.join(example, "agent")));
}, 180_000);
afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
}, 120_000);

/** Returns what a program prints below each heading. */
async function sectionsOf(program: string, args: readonly string[]): Promise<string[]> {
  const env = { OPENAI_API_KEY: platform.apiKey, OPENAI_BASE_URL: `${platform.apiUrl}/openai/v1` };
  const { code, stdout, stderr } = await run(program, args, { cwd: dir, env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout
    .split(/^# .*\n/m)
    .slice(1)
    .map((text) => text.trim());
}

function expectSections([conversation, branch, streamed = "", ...jobs]: readonly string[]): void {
  expect(conversation).toBe("Notes: Buy milk.\nNotes: Buy milk, Call Ann.");
  expect(branch).toBe("Notes: Buy milk, Buy tea.");
  // The call's result can come before, in or after the text.
  const call = '[count_words {"path":"/input/letter.txt"}: 11]\n';
  expect(`${streamed}\n`).toContain(call);
  expect(`${streamed}\n`.replace(call, "").trim()).toBe("/input/letter.txt has 11 words. Notes: Count.");
  expect(jobs).toEqual(["Notes: Buy bread.", "cancelled"]);
}

test("the program in TypeScript shows what the example promises", async () => {
  const { dependencies } = JSON.parse(readFileSync(path.join(example, "package.json"), "utf8")) as {
    dependencies: { openai: string };
  };
  const home = await npmPackage("openai", dependencies.openai);
  symlinkSync(path.dirname(home), path.join(dir, "node_modules"));
  expectSections(await sectionsOf(process.execPath, ["--disable-warning=ExperimentalWarning", "client.ts"]));
}, 240_000);

test("the program in Python shows the same", async () => {
  const requirements = readFileSync(path.join(example, "requirements.txt"), "utf8").trim().split("\n");
  const python = await pythonEnvironment("openai", requirements);
  expectSections(await sectionsOf(python.program("python"), ["client.py"]));
}, 360_000);
