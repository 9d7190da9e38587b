// Tests which part of a platform a process is, and what the parts used between two readings.

import { expect, test } from "@jest/globals";
import { cpuBetween, partsOf, type CpuReading } from "./processes.ts";

test("each process below npm has a part", () => {
  const rows = [
    { pid: 11, parent: 10, name: "npm start" },
    { pid: 12, parent: 11, name: "node" },
    { pid: 13, parent: 12, name: "MainThread" },
    { pid: 14, parent: 12, name: "MainThread" },
    { pid: 20, parent: 14, name: "postgres" },
    { pid: 21, parent: 20, name: "postgres" },
    { pid: 22, parent: 14, name: "redis-server" },
    { pid: 30, parent: 14, name: "dari-start" },
    { pid: 31, parent: 30, name: "dari-template" },
    { pid: 32, parent: 30, name: "bwrap" },
    { pid: 33, parent: 32, name: "MainThread" },
    { pid: 34, parent: 33, name: "dari-relay" },
    { pid: 35, parent: 33, name: "redis-server" },
    { pid: 99, parent: 1, name: "postgres" },
  ];
  expect(Object.fromEntries(partsOf(rows, 10, 14))).toEqual({
    ...{ 10: "launchers", 11: "launchers", 12: "launchers", 13: "launchers", 14: "platform" },
    ...{ 20: "postgres", 21: "postgres", 22: "redis", 30: "helpers", 31: "helpers" },
    ...{ 32: "sandboxed", 33: "sandboxed", 34: "sandboxed", 35: "sandboxed" },
  });
});

test("what ended between two readings counts with PostgreSQL's first process, and otherwise in sandboxes", () => {
  const before: CpuReading = new Map([
    [14, { part: "platform", ms: 1_000 }],
    [20, { part: "postgres", ms: 100 }],
    [21, { part: "postgres", ms: 50 }],
    [31, { part: "helpers", ms: 70 }],
  ]);
  const after: CpuReading = new Map([
    [14, { part: "platform", ms: 1_200 }],
    // The backend 21 has ended with 80 ms.
    [20, { part: "postgres", ms: 190 }],
    [32, { part: "helpers", ms: 10 }],
  ]);
  expect(cpuBetween(before, after, 500)).toEqual({
    ...{ platform: 200, postgres: 40, redis: 0, helpers: 10, launchers: 0, sandboxed: 250 },
  });
});
