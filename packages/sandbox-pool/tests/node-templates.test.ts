// Which Node processes can be forked, and what their forks are.

import { afterAll, expect, test } from "@jest/globals";
import { checkCompiledAhead, checkForks, checkPageTables, closeTemplates, hold } from "./node-template-fixture.ts";

const usual = "export const agent = () => 'x';\n";
const unforkable: [title: string, code: string, why: RegExp][] = [
  [
    "a thread",
    "import { Worker } from 'node:worker_threads'; new Worker('process.stdin.resume()', { eval: true, stdin: true });",
    /threads/,
  ],
  ["an open file", "import fs from 'node:fs'; fs.openSync('/proc/self/stat');", /opened files or connections/],
  [
    "a server",
    "import http from 'node:http'; await new Promise((r) => http.createServer().listen(0, '127.0.0.1', r));",
    /opened files or connections/,
  ],
  [
    "a child process",
    "import { spawn } from 'node:child_process'; spawn('/bin/sleep', ['600'], { stdio: 'ignore' });",
    /started a process/,
  ],
  ["a file in /tmp", "import fs from 'node:fs'; fs.writeFileSync('/tmp/left', '');", /files in .tmp/],
  [
    "work that does not end",
    "import { scrypt } from 'node:crypto'; scrypt('a', 'b', 64, { N: 2 ** 20, p: 9, maxmem: 2 ** 32 }, () => {});",
    /does not end|do not rest/,
  ],
  ["an error", "throw new Error('not today');", /cannot be loaded/],
];

afterAll(closeTemplates);

test("each fork is a process with its own random numbers and its own end", () => checkForks(process.execPath));

test("each fork has compiled functions that were not called", () => checkCompiledAhead(process.execPath));

test("the heap of a fork needs few page tables", () => checkPageTables(process.execPath));

test.each(unforkable)("an agent with %s is not forked", async (_title, code, why) => {
  const held = await hold(`${code}\n${usual}`);
  expect(held.why).toMatch(why);
  await held.template.kill();
});

test("an agent whose Node has a thread for loading modules is not forked", async () => {
  const held = await hold(usual, { env: { NODE_OPTIONS: "--import=data:text/javascript," } });
  expect(held.why).toMatch(/threads/);
  await held.template.kill();
});
