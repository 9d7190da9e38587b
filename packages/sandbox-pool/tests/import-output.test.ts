// What a turn shows of the output of its agent's import.

import { expect, test } from "@jest/globals";
import { PassThrough } from "node:stream";
import { finished } from "node:stream/promises";
import { createScrubber } from "@dari/domain";
import { collectImportOutput, showImportOutput, importOutputMax } from "../src/import-output.ts";

const secret = "a-secret-of-the-agent";
const scrubber = createScrubber(new Map([["KEY", secret]]));

async function shown(stdout: string): Promise<string[][]> {
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  const words = collectImportOutput(streams);
  streams.stdout.end(stdout);
  streams.stderr.end("a warning\n");
  await Promise.all([finished(streams.stdout), finished(streams.stderr)]);
  const lines: string[][] = [];
  showImportOutput(words, scrubber, { add: (...line) => void lines.push(line) });
  return lines;
}

test("a turn shows the output without secrets", async () => {
  expect(await shown(`it is ${secret}\n`)).toEqual([
    ["stdout", "it is [redacted:KEY]\n"],
    ["stderr", "a warning\n"],
  ]);
});

test("longer output is cut, and a secret across the cut is not shown in part", async () => {
  const [stdout, platform] = await shown(`${"x".repeat(importOutputMax - 12)}${secret}`);
  expect(stdout![1]).not.toContain("a-secret");
  expect(platform).toEqual(["platform", `stdout: the import wrote more than ${importOutputMax} characters\n`]);
});
