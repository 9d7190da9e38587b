// The program that creates an organization explains wrong arguments and its usage.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "@jest/globals";

const program = join(import.meta.dirname, "..", "src", "create-organization.ts");

function run(words: readonly string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ["--no-warnings", program, ...words], { env: {} }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    );
  });
}

test.each([
  ["a flag that there is not", ["--operators", "Acme"], "--operators"],
  ["a value for a flag that takes none", ["Acme", "--operator=yes"], "--operator"],
  ["no name", [], "give the organization a name"],
  ["an empty name", ["  "], "give the organization a name"],
  ["a name without its quotes", ["Acme", "Corp"], "Corp"],
])("%s is reported with the usage and exit code 2", async (_what, words, says) => {
  const { code, stdout, stderr } = await run(words);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr.split("\n")[0]).toContain(says);
  expect(stderr).toContain('Usage: node apps/api/src/create-organization.ts "Name" [--operator]');
  expect(stderr).not.toMatch(/^ +at /m);
});

test("help is not an error", async () => {
  const { code, stdout, stderr } = await run(["--help"]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^Usage: /);
});
