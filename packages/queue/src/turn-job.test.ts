// What a job's stack traces tell the worker that takes it, and a person.

import { expect, test } from "@jest/globals";
import { describeTrace, TurnFailed, TurnRetry, wasFailed } from "./turn-job.ts";

test("a trace is shown as text, without the marks that are for workers", () => {
  const failed = new TurnFailed("agent_error").stack ?? "";
  expect(wasFailed([failed])).toBe(true);
  expect(describeTrace(failed)).toBe("The message failed with agent_error. Its page has the error and the logs.");
  const retry = new TurnRetry("worker_lost", 60_000).stack ?? "";
  const due = /^The attempt ended with worker_lost\. The next attempt was due at 20\d\d-\d\d-\d\dT[\d:.]+Z\.$/;
  expect(describeTrace(retry)).toMatch(due);
  for (const other of ["Error: boom\n    at x", "TurnRetry: x\ndue 99999999999999999", ""]) {
    expect(describeTrace(other)).toBe(other);
  }
});
