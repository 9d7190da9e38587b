// When the S3 client retries. Replaces the SDK's own rule, in which all requests of a client share one budget: when a
// server restarts under many requests, the budget is spent at once and the rest fail without a retry.

import type { S3ClientConfig } from "@aws-sdk/client-s3";
import { backoffMs, type BackoffPolicy } from "@dari/domain";

type Strategy = Exclude<S3ClientConfig["retryStrategy"], undefined>;
type StrategyV2 = Extract<Strategy, { acquireInitialRetryToken: unknown }>;
type Token = Awaited<ReturnType<StrategyV2["acquireInitialRetryToken"]>>;

/** Between 5 and 11 seconds in total: enough for a server that restarts. */
const attemptsMax = 8;
const backoff: BackoffPolicy = { firstMs: 100, maxMs: 5_000 };

/** Retries every failure that the caller did not cause, each request independently. */
export const s3RetryStrategy: StrategyV2 = {
  async acquireInitialRetryToken() {
    return tokenOf(0, 0);
  },
  async refreshRetryTokenForRetry(token, { error, errorType }) {
    const count = token.getRetryCount() + 1;
    if (errorType === "CLIENT_ERROR" || count >= attemptsMax)
      throw error ?? new Error("the request failed and cannot be retried");
    return tokenOf(count, backoffMs(count, backoff, Math.random()));
  },
  recordSuccess() {},
};

function tokenOf(count: number, delayMs: number): Token {
  return { getRetryCount: () => count, getRetryDelay: () => delayMs };
}
