// Runs have the API's numbers of attempts, and tokens are counted for all runs.

import { expect, test } from "@jest/globals";
import { listRunNames, sumRunUsage } from "./run-usage.ts";

test("a run that does not count shares its number with the next one", () => {
  const outcomes = [
    [1, "suspended"],
    [1, "released"],
    [1, "retry"],
    [2, "completed"],
  ] as const;
  const attempts = outcomes.map(([number, outcome]) => ({ number, outcome }));
  expect(listRunNames(attempts)).toEqual(["1", "1, continued", "1, again", "2"]);
});

test("usage is that of all runs", () => {
  const attempts = [{ usage: { requests: 1, input_tokens: 10 } }, {}, { usage: { input_tokens: 5, output_tokens: 2 } }];
  expect(sumRunUsage(attempts)).toEqual({ runs: 2, usage: { requests: 1, input_tokens: 15, output_tokens: 2 } });
  expect(sumRunUsage([{}])).toBeUndefined();
});
