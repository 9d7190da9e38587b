// How often the usage of sandboxes is checked when there are many.

import { expect, test } from "@jest/globals";
import { pauseBetweenChecks } from "./watch-sandbox.ts";

test.each([
  [1, 0],
  [40, 0],
  [41, 205],
  [400, 2_000],
  [2_000, 2_000],
])("%d sandboxes: checks pause for %d ms more than usual, if at all", (sandboxes, pauseMs) => {
  expect(pauseBetweenChecks(sandboxes)).toBe(pauseMs);
});
