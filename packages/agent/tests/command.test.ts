// `dari-agent run` in a folder with a dari.yml, as a developer's first try of an agent.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const command = fileURLToPath(new URL("../bin/dari-agent.mjs", import.meta.url));
const agent = `
export async function agent(prompt, context) {
  await context.emit("seen", { turns: context.history.length / 2, key: process.env.MODEL_KEY ?? null });
  const { approved } = await context.requestInput("go-on", { type: "object" }, { prompt: "Go on?" });
  return prompt + " " + approved + " " + context.parts.length;
}
`;

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "dari-agent-"));
  await writeFile(join(dir, "dari.yml"), "name: x\nentrypoint: agent.mjs:agent # where it is\n");
  await writeFile(join(dir, "agent.mjs"), agent);
  await writeFile(join(dir, ".env"), "MODEL_KEY=from-file\n");
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [command, ...args], { cwd: dir }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
    child.stdin?.end();
  });
}

test("runs one turn after the other of one session", async () => {
  const asked = await run("run", "pay");
  expect(asked).toMatchObject({ code: 3, stdout: "" });
  expect(asked.stderr).toMatch(/Go on\?\n.*\nRun it again with --answer 'go-on=<json>'/);
  const answer = ["--answer", 'go-on={"approved": true}'];
  expect(await run("run", "pay", ...answer, "--file", "dari.yml")).toMatchObject({ code: 0, stdout: "pay true 2\n" });
  const next = await run("run", "agent.mjs:agent", "again", ...answer);
  expect(next).toMatchObject({ code: 0, stderr: '[seen] {"turns":1,"key":"from-file"}\n' });
  expect((await run("run", "again", ...answer, "--new")).stderr).toContain('"turns":0');
});

test("says what is wrong", async () => {
  expect(await run("run")).toMatchObject({ code: 2, stderr: expect.stringContaining("Usage: dari-agent run") });
  expect(await run("run", "x", "--answer", "y")).toMatchObject({ code: 2, stderr: expect.stringContaining("<key>=") });
  const missing = await run("run", "other.mjs:agent", "x");
  expect(missing).toMatchObject({ code: 1, stderr: "entrypoint_not_found: there is no file other.mjs\n" });
});
