// Rules of the reconciler's settings that concern several fields.

import { expect, test } from "@jest/globals";
import { readReconcilerConfig } from "./config.ts";

const env = {
  DATABASE_URL: "postgres://dari@127.0.0.1/dari",
  DARI_BLOBS_DIR: "/tmp/objects",
  DARI_MASTER_KEY: "0".repeat(64),
};

test.each([
  [{}, 1_000],
  [{ DARI_LEASE_MS: "3000" }, 1_000],
  [{ DARI_LEASE_MS: "600000", DARI_REAP_EVERY_MS: "200000" }, 200_000],
])("%j", (more, reapEveryMs) => {
  expect(readReconcilerConfig({ ...env, ...more }).reapEveryMs).toBe(reapEveryMs);
});

test.each([
  [{ DARI_REAP_EVERY_MS: "5001" }, "5000 of 15000, got 5001"],
  [{ DARI_LEASE_MS: "3000", DARI_REAP_EVERY_MS: "60000" }, "1000 of 3000, got 60000"],
])("a pace that is slow for its lease is refused: %j", (more, says) => {
  const message = `- DARI_REAP_EVERY_MS: expected at most a third of DARI_LEASE_MS, ${says}`;
  expect(() => readReconcilerConfig({ ...env, ...more })).toThrow(message);
});
