// `dari doctor --store` on a platform whose objects were lost and damaged.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@dari/client";
import { manifestFile, send } from "../src/conversation.ts";
import { runDari, type ProgramOutput } from "../src/curl.ts";
import { deployFiles } from "../src/deploy-files.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";

const writer = {
  ...manifestFile({ entrypoint: "agent.mjs:agent" }),
  "agent.mjs": `import { writeFileSync } from "node:fs";
    export const agent = (prompt) => { writeFileSync("said.txt", prompt.repeat(2_000)); return "written"; };`,
};

const cwd = mkdtempSync(join(tmpdir(), "dari-doctor-"));
let platform: StandaloneProcess;
beforeAll(async () => {
  platform = await startStandalone();
}, 180_000);
afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  rmSync(cwd, { recursive: true, force: true });
}, 120_000);

const doctor = (...args: readonly string[]): Promise<ProgramOutput> =>
  runDari(["doctor", "--store", ...args], { apiUrl: platform.apiUrl, apiKey: platform.apiKey, cwd });

/** The object of the session's only snapshot. */
function snapshotFile(): string {
  const dir = join(platform.dataDir, "objects");
  const found = readdirSync(dir, { recursive: true, encoding: "utf8" }).filter((name) => /\/snapshots\/./.test(name));
  expect(found).toHaveLength(1);
  return join(dir, found[0] ?? "");
}

test("an intact store passes; missing, short and altered objects are named, and the command ends with 1", async () => {
  const client = createClient(platform);
  const { agentId } = await deployFiles(platform, writer);
  const { id } = await client.createSession(agentId);
  await send({ ...platform, client }, id, "hello");
  expect(await doctor("--deep")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/store +ok +\d+ objects exist and are intact/),
  });

  const file = snapshotFile();
  const whole = readFileSync(file);
  const other = Buffer.from(whole);
  other[other.length >> 1]! ^= 0xff;
  writeFileSync(file, other);
  expect((await doctor()).code).toBe(0);
  expect(await doctor("--deep")).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/store +PROBLEM[^]*is damaged/),
  });

  truncateSync(file, whole.length - 1);
  expect(await doctor()).toMatchObject({ code: 1, stdout: expect.stringMatching(/store +PROBLEM[^]*is damaged/) });
  rmSync(file);
  expect(await doctor()).toMatchObject({ code: 1, stdout: expect.stringMatching(/store +PROBLEM[^]*is missing/) });

  writeFileSync(file, whole);
  expect((await doctor("--deep")).code).toBe(0);
}, 180_000);
