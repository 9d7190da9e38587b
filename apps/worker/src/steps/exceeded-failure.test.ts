// A failure at a limit names the limit and its value.

import { expect, test } from "@jest/globals";
import { toExceededFailure } from "./exceeded-failure.ts";

const limits = {
  memoryBytes: 4 * 1024 ** 3,
  processes: 512,
  tmpBytes: 1536 * 1024 ** 2,
  diskBytes: 10 * 1024 ** 3,
  diskFiles: 200_000,
  cpuSeconds: 60,
};

test.each([
  ["memory", "out_of_memory", "the agent exceeded its memory limit (4 GiB)"],
  ["processes", "too_many_processes", "the agent exceeded its limit of 512 processes and threads"],
  ["disk", "disk_full", "the agent exceeded its disk limit (10 GiB or 200000 files)"],
  ["tmp", "disk_full", "the agent exceeded the limit of /tmp (1536 MiB)"],
  ["cpu", "cpu_limit", "the agent exceeded its limit of processor time (60 s)"],
] as const)("%s", (exceeded, code, message) => {
  expect(toExceededFailure(exceeded, limits)).toEqual({ code, message });
});

test("a limit without a value is named without it", () => {
  expect(toExceededFailure("cpu", {}).message).toBe("the agent exceeded its limit of processor time");
  expect(toExceededFailure("processes", {}).message).toBe("the agent exceeded its limit of processes and threads");
});
