// Axes end at round numbers, and lines have gaps where days have no value.

import { expect, test } from "@jest/globals";
import { datesOf, isAlone, linePath, roundUp } from "./chart.ts";

test("a span ends today, in UTC", () => {
  const now = Date.parse("2026-03-01T23:30:00Z");
  expect(datesOf(3, now)).toEqual(["2026-02-27", "2026-02-28", "2026-03-01"]);
});

test.each([
  [[], 1],
  [[0, null], 1],
  [[7], 10],
  [[12, 180], 200],
  [[0.031], 0.05],
  [[1_000], 1_000],
])("the axis of %p ends at %p", (values, end) => {
  expect(roundUp(values)).toBeCloseTo(end, 9);
});

test("a day without a value interrupts the line; a value without neighbours is alone", () => {
  const values = [1, 2, null, 3, null];
  expect(
    linePath(
      values,
      (index) => index * 10,
      (value) => 100 - value,
    ),
  ).toBe("M0 99L10 98M30 97");
  expect(values.map((_, index) => isAlone(values, index))).toEqual([false, false, false, true, false]);
});
