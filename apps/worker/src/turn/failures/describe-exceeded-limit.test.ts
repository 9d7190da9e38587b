// A failure at a limit names the limit and its value.

import { expect, test } from "@jest/globals";
import { toExceededFailure, toShortageFailure, wasEndedByMachine, withMemoryLimit } from "./describe-exceeded-limit.ts";

const boundedAt = (bytes: number) => ({ bytes, setting: "DARI_TURN_MEMORY_MAX_BYTES" });
const limits = {
  memoryBytes: 4 * 1024 ** 3,
  processes: 512,
  tmpBytes: 1536 * 1024 ** 2,
  diskBytes: 10 * 1024 ** 3,
  diskFiles: 200_000,
  cpuSeconds: 60,
};

const or = "or ask an operator to raise";

test.each([
  [
    "memory",
    "out_of_memory",
    `the agent exceeded its memory limit (4 GiB); use less memory, ${or} DARI_TURN_MEMORY_MAX_BYTES`,
  ],
  [
    "processes",
    "too_many_processes",
    "the agent exceeded its limit of 512 processes and threads; " +
      `start fewer processes and threads, ${or} DARI_TURN_PROCESSES`,
  ],
  [
    "disk",
    "disk_full",
    "the agent exceeded its disk limit (10 GiB or 200,000 files); " +
      `delete temporary files, ${or} DARI_TURN_DISK_BYTES`,
  ],
  ["tmp", "disk_full", "the agent exceeded the limit of /tmp (1536 MiB); write large files to the workspace"],
  [
    "cpu",
    "cpu_limit",
    "the agent exceeded its limit of processor time (60 s); " +
      `split the work into several messages, ${or} DARI_TURN_CPU_SECONDS`,
  ],
] as const)("%s", (exceeded, code, message) => {
  expect(toExceededFailure(exceeded, limits, boundedAt(limits.memoryBytes))).toEqual({ code, message });
});

test("a limit without a value is named without it", () => {
  expect(toExceededFailure("cpu", {}, boundedAt(1)).message).toMatch(
    /^the agent exceeded its limit of processor time;/,
  );
  expect(toExceededFailure("processes", {}, boundedAt(1)).message).toMatch(
    /^the agent exceeded its limit of processes and threads;/,
  );
});

test("a memory limit below the operators' maximum can be raised in dari.yml", () => {
  expect(toExceededFailure("memory", { memoryBytes: 512 * 1024 ** 2 }, boundedAt(8 * 1024 ** 3)).message).toBe(
    "the agent exceeded its memory limit (512 MiB); use less memory, " +
      "or raise runtime.memory in dari.yml, up to 8 GiB here",
  );
});

test("an agent's own report that it lacks memory gets the limit", () => {
  const found = { code: "out_of_memory", message: "MemoryError: " } as const;
  expect(withMemoryLimit(found, limits, boundedAt(limits.memoryBytes)).message).toBe(
    "MemoryError: \nThe turn's memory limit is 4 GiB; ask an operator to raise DARI_TURN_MEMORY_MAX_BYTES.",
  );
  expect(withMemoryLimit(found, limits, boundedAt(8 * 1024 ** 3)).message).toContain(
    "raise runtime.memory in dari.yml, up to 8 GiB",
  );
  const other = { code: "agent_error", message: "no luck" } as const;
  expect(withMemoryLimit(other, limits, boundedAt(1))).toBe(other);
});

test("a turn that ended because the worker had no memory says what it held, and is not the agent's fault", () => {
  expect(toShortageFailure(3 * 1024 ** 3)).toEqual({
    code: "worker_lost",
    message:
      "the worker had no memory left, and ended this turn, which held 3 GiB and kept its limit; the agent may have " +
      "called services already: check that before you send the message again, or set retries.max_attempts in " +
      "dari.yml and pass operationKey to these services; an operator can give the worker more memory",
  });
});

test.each([
  ["ended at its own limit", { exceeded: "memory", peakMemoryBytes: 995 }, { memoryBytes: 1_000 }, false],
  ["ended far below its limit", { exceeded: "memory", peakMemoryBytes: 500 }, { memoryBytes: 1_000 }, true],
  ["ended without a limit of its own", { exceeded: "memory", peakMemoryBytes: 500 }, {}, true],
  ["whose memory was not measured", { exceeded: "memory" }, { memoryBytes: 1_000 }, false],
  ["with too many processes", { exceeded: "processes", peakMemoryBytes: 500 }, { memoryBytes: 1_000 }, false],
  ["that exceeded nothing", { peakMemoryBytes: 500 }, { memoryBytes: 1_000 }, false],
] as const)("a sandbox %s: %o with %o was ended by the machine: %s", (_, usage, bound, expected) => {
  expect(wasEndedByMachine(usage, bound)).toBe(expected);
});
