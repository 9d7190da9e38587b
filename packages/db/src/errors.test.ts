// After which errors a statement can be repeated.

import { expect, test } from "@jest/globals";
import { isDatabaseUnreachable, isDatabaseDown, isDatabaseErrorTransient } from "./errors.ts";

test.each([
  ["serialization", "40001", { passing: true, away: false, down: false }],
  ["a disk that is full", "53100", { passing: true, away: false, down: false }],
  ["a server that is read only", "25006", { passing: true, away: false, down: false }],
  ["too many connections", "53300", { passing: true, away: true, down: false }],
  ["a server that starts", "57P03", { passing: true, away: true, down: true }],
  ["a broken rule", "23505", { passing: false, away: false, down: false }],
  ["an error of our own", undefined, { passing: false, away: false, down: false }],
])("%s (%s)", (_what, code, expected) => {
  const error = Object.assign(new Error("it failed"), code === undefined ? {} : { code });
  const seen = {
    passing: isDatabaseErrorTransient(error),
    away: isDatabaseUnreachable(error),
    down: isDatabaseDown(error),
  };
  expect(seen).toEqual(expected);
});
