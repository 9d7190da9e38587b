// Which findings of a Schemathesis run count as faults of the API.

import { expect, test } from "@jest/globals";
import { judge } from "../src/schemathesis/verdict.ts";

const quiet = {
  stop_reason: "max_time",
  operations: { total: 84, tested: 84 },
  phases: { coverage: { status: "success" }, stateful: { status: "success" } },
  test_cases: { generated: 2_946 },
  failures: [],
  errors: [],
};

test("a run that found nothing passes, with its figures", () => {
  expect(judge(quiet, [], true)).toEqual({
    failures: [],
    result: { operations: 84, calls: 2_946, failures: 0, errors: 0, server_errors: 0 },
  });
});

test.each([
  ["a finding", { failures: [{ title: "Server error", count: 2, operations: ["GET /v1/agents"] }] }, []],
  ["an error of the run", { errors: [{ title: "Network Error", count: 1 }] }, []],
  ["a request that failed", {}, ['{"msg":"request failed"}']],
  ["a run that tested little", { test_cases: { generated: 3 } }, []],
  ["an operation that no call reached", { operations: { total: 84, tested: 83 } }, []],
  ["a phase that did not run", { phases: { stateful: { status: "skip" } } }, []],
])("%s fails it", (_what, found, logged) => {
  expect(judge({ ...quiet, ...found }, logged, true).failures).toHaveLength(1);
});

test("a short run need not reach everything", () => {
  expect(judge({ ...quiet, operations: { total: 84, tested: 83 } }, [], false).failures).toEqual([]);
});
