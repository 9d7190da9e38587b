// A wrong command line of the lab's programs is answered with the usage, not with a stack trace.

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { checkout } from "../src/program.ts";

function run(program: string, ...flags: string[]): { code: number | null; said: string; failed: string } {
  const entry = join(checkout, `apps/lab/src/${program}.ts`);
  const options = { encoding: "utf8", timeout: 30_000 } as const;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", entry, ...flags],
    options,
  );
  return { code: status, said: stdout, failed: stderr };
}

test.each([
  ["an unknown flag", ["--nonsense"], "Unknown option '--nonsense'"],
  ["a flag without its value", ["--kills"], "argument missing"],
  ["a word that is no flag", ["fast"], "Unexpected argument 'fast'"],
  ["what is no number", ["--kills", "many"], "--kills is a number from 1, not many"],
  ["a part of one", ["--kills", "1.5"], "--kills is a whole number from 1"],
])("%s", (_what, flags, problem) => {
  const { code, failed } = run("recorded-kills", ...flags);
  expect(code).toBe(2);
  expect(failed).toContain(problem);
  expect(failed).toContain("Usage: npm run lab -- recorded-kills [--kills 500]");
  expect(failed).not.toMatch(/^\s+at /m);
});

test("help is not an error; a run of nothing is one", () => {
  expect(run("chaos/run", "--help")).toMatchObject({
    code: 0,
    said: expect.stringContaining("Usage: npm run lab -- chaos/run"),
  });
  const nothing = run("chaos/run");
  expect(nothing).toMatchObject({ code: 2, failed: expect.stringContaining("choose --fault") });
  const unknown = run("chaos/run", "--fault", "no-such-fault");
  expect(unknown).toMatchObject({ code: 2, failed: expect.stringContaining("no-such-fault") });
});

test("every program reads its flags this way", () => {
  const src = join(checkout, "apps/lab/src");
  const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const others = files.filter((file) => readFileSync(join(src, file), "utf8").includes("parseArgs("));
  expect(others).toEqual(["flags.ts"]);
});
