// What a turn is shown of what its agent wrote while it was loaded.

import { expect, test } from "@jest/globals";
import { PassThrough } from "node:stream";
import { finished } from "node:stream/promises";
import { createScrubber } from "@dari/domain";
import { collectWords, showWords, wordsUnitsMax } from "../src/import-output.ts";

const secret = "a-secret-of-the-agent";
const scrubber = createScrubber(new Map([["KEY", secret]]));

async function shown(stdout: string): Promise<string[][]> {
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  const words = collectWords(streams);
  streams.stdout.end(stdout);
  streams.stderr.end("a warning\n");
  await Promise.all([finished(streams.stdout), finished(streams.stderr)]);
  const lines: string[][] = [];
  showWords(words, scrubber, { add: (...line) => void lines.push(line) });
  return lines;
}

test("a turn is shown what was written, without secrets", async () => {
  expect(await shown(`it is ${secret}\n`)).toEqual([
    ["stdout", "it is [redacted:KEY]\n"],
    ["stderr", "a warning\n"],
  ]);
});

test("of more than can be kept the beginning is shown, and nothing of a secret that lies across its end", async () => {
  const [stdout, platform] = await shown(`${"x".repeat(wordsUnitsMax - 12)}${secret}`);
  expect(stdout![1]).not.toContain("a-secret");
  expect(platform).toEqual(["platform", `stdout: the import wrote more than ${wordsUnitsMax} characters\n`]);
});
