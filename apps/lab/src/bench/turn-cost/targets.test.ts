// Tests which rows of the results have a target, and how results are printed.

import { expect, test } from "@jest/globals";
import { table } from "./table.ts";
import { gatesOf, targetsOf } from "./targets.ts";

const ms = { n: 1, min: 1, p50: 1, p95: 1, p99: 1, max: 1 };

test("the busiest measurement in old sessions has the targets of a turn", () => {
  const row = { agent: "python", turns_per_second: 40, ms, cpu_ms: 20, cpu_ms_by_part: { platform: 7 } } as const;
  const cpu = [
    { ...row, sessions: "new", clients: 32 },
    { ...row, sessions: "old", clients: 16 },
    { ...row, sessions: "old", clients: 32 },
  ] as const;
  expect(targetsOf({ cpu }).map(({ says, value, limit }) => `${says}: ${value}, ${limit}`)).toEqual([
    "python: ms of processor time of a turn: 20, 22",
    "python: turns a second: 40, 80",
    "python: ms of the platform's process of a turn: 7, 5",
  ]);
});

test("only what was reached before fails a run", () => {
  const target = { says: "turns a second", value: 60, limit: 80, isAtLeast: true, isReached: true };
  expect(gatesOf([target, { ...target, isReached: false }])).toEqual([
    { says: "80 of turns a second, divided by the value", value: 1.333, atMost: 1, passed: false },
  ]);
});

test("numbers of a table are aligned to the right", () => {
  expect(
    table(
      ["agent", "ms"],
      [
        ["a", 5],
        ["long name", undefined],
      ],
    ),
  ).toBe("agent      ms\na           5\nlong name   -\n");
});
