// Limits on event streams.

import { expect, test } from "@jest/globals";
import { createStreamLimiter } from "./stream-limiter.ts";

test("places are counted for the organization and for the process, and given back once", () => {
  const gate = createStreamLimiter({ perProcess: 3, perOrganization: 2 });
  const leave = gate.take("org_1");
  gate.take("org_1");
  expect(() => gate.check("org_1")).toThrow(
    "limit reached: 2 open event streams of the organization in this process; close some",
  );
  gate.take("org_2");
  expect(() => gate.check("org_3")).toThrow("limit reached: 3 open event streams of this process; close some");
  leave();
  leave();
  gate.check("org_1");
  // A promised stream is opened above the limit, and counted.
  gate.take("org_1");
  gate.take("org_1");
  expect(() => gate.check("org_2")).toThrow("limit reached: 3 open event streams of this process; close some");
});

test("waiting bytes are held up to the limits", () => {
  const gate = createStreamLimiter(undefined, { perProcess: 100, perOrganization: 60 });
  const release = gate.hold("org_1", 60);
  expect(release).toBeDefined();
  expect(gate.hold("org_1", 1)).toBeUndefined();
  expect(gate.hold("org_2", 41)).toBeUndefined();
  expect(gate.hold("org_2", 40)).toBeDefined();
  release?.();
  expect(gate.hold("org_1", 60)).toBeDefined();
});
