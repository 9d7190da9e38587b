// The schedule of deliveries.

import { expect, test } from "@jest/globals";
import { webhookAttemptsMax, webhookRetryMs, webhookRetrySeconds } from "./webhooks.ts";

test("ten attempts spread over three to four days, each pause longer than the one before", () => {
  expect(webhookAttemptsMax).toBe(10);
  const total = webhookRetrySeconds.reduce((sum, seconds) => sum + seconds, 0);
  expect(total).toBeGreaterThan(3 * 86_400);
  expect(total).toBeLessThan(4 * 86_400);
  expect([...webhookRetrySeconds].sort((left, right) => left - right)).toEqual(webhookRetrySeconds);
});

test("jitter is a tenth both ways, and the last attempt is the last", () => {
  expect(webhookRetryMs(1, 0)).toBe(4_500);
  expect(webhookRetryMs(1, 1)).toBe(5_500);
  expect(webhookRetryMs(9, 0.5)).toBe(86_400_000);
  expect(webhookRetryMs(10, 0.5)).toBeUndefined();
});

test("a receiver can ask for more time, up to a day, and never for less", () => {
  expect(webhookRetryMs(1, 0.5, 120)).toBe(120_000);
  expect(webhookRetryMs(2, 0.5, 1)).toBe(300_000);
  expect(webhookRetryMs(1, 0.5, 1e9)).toBe(86_400_000);
  expect(webhookRetryMs(1, 0.5, -5)).toBe(5_000);
});
