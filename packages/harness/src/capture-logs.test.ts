// Captured output: never blocks the program, keeps whole characters, stops at its limit.

import { expect, test } from "@jest/globals";
import { createScrubber } from "@dari/domain";
import { everyDriver, testGuaranteeForAllDrivers, testCoversSecurityTable } from "@dari/testkit/test-guarantee";
import { PassThrough, Readable } from "node:stream";
import { captureLogs, type LogStream } from "./capture-logs.ts";

function capture(stdout: Buffer[], stderr: Buffer[], maxBytes: number) {
  const texts: [LogStream, string][] = [];
  const captured = captureLogs({
    stdout: Readable.from(stdout),
    stderr: Readable.from(stderr),
    maxBytes,
    onText: (stream, text) => texts.push([stream, text]),
  });
  return { texts, captured };
}

test("joins characters that were cut between chunks", async () => {
  const bytes = Buffer.from("aä😀z");
  const { texts, captured } = capture(
    [...bytes].map((byte) => Buffer.from([byte])),
    [],
    1_000,
  );
  await captured.done;
  expect(texts.map(([, text]) => text).join("")).toBe("aä😀z");
  expect(texts.every(([, text]) => !text.includes("\uFFFD"))).toBe(true);
});

testGuaranteeForAllDrivers("output")("stores up to the cap, says so once, and reads on", async () => {
  const { texts, captured } = capture([Buffer.from("ää"), Buffer.alloc(5_000_000, 120)], [], 3);
  expect(await captured.done).toEqual({ stdoutBytes: 5_000_004, stderrBytes: 0, storedBytes: 2, truncated: true });
  expect(texts).toEqual([
    ["stdout", "ä"],
    ["stdout", "\n[the log was cut here: it is longer than 3 bytes]\n"],
  ]);
  expect(captured.tail("stdout")).toHaveLength(4_096);
});

test("keeps the two streams apart", async () => {
  const { texts, captured } = capture([Buffer.from("out")], [Buffer.from("err")], 100);
  expect((await captured.done).truncated).toBe(false);
  expect(texts.sort()).toEqual([
    ["stderr", "err"],
    ["stdout", "out"],
  ]);
});

test.each([false, true])("shows no half of a secret, whether the program was stopped or not: %s", async (isCut) => {
  const secret = "sk-live-0123456789abcdef";
  const texts = { stdout: "", stderr: "" };
  const captured = captureLogs({
    stdout: Readable.from([Buffer.from(`see ${secret}, ${secret.slice(0, 12)}`)]),
    stderr: Readable.from([Buffer.from("tasks")]),
    maxBytes: 100,
    scrub: () => createScrubber(new Map([["KEY", secret]])).stream(),
    onText: (stream, text) => (texts[stream] += text),
  });
  await captured.done;
  expect(texts).toEqual({ stdout: "see [redacted:KEY], ", stderr: "task" });
  captured.showRest({ isCut });
  // A few characters can be a secret's beginning by chance. A turn that ended by itself shows them.
  const stderr = isCut ? "task" : "tasks";
  expect(texts).toEqual({ stdout: "see [redacted:KEY], [redacted:KEY]", stderr });
});

test("is left in bounded time by a program that writes on", async () => {
  const stdout = new PassThrough();
  const captured = captureLogs({ stdout, stderr: new PassThrough(), maxBytes: 10, onText: () => undefined });
  const chunk = Buffer.alloc(65_536, 120);
  const writes = (): boolean => !stdout.isPaused() && stdout.write(chunk) && setImmediate(writes) !== undefined;
  writes();
  await captured.leave();
  expect(stdout.isPaused()).toBe(true);
  expect((await captured.done).stdoutBytes).toBeLessThan(2 * 1024 ** 2);
});

testCoversSecurityTable("capture-logs", everyDriver);
