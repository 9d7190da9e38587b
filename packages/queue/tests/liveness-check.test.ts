// When a connection is asked whether Redis answers. Timers are run by the test.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mock } from "node:test";
import type { Redis } from "ioredis";
import { describeWith, requireService, waitUntil } from "@dari/testkit";
import { startLivenessCheck, type LivenessCheck, type LivenessOptions } from "../src/liveness-check.ts";
import { connectFailingFast, disconnect } from "../src/connect-redis.ts";

describeWith("redis", "the liveness check", () => {
  let redis: Redis;
  let check: LivenessCheck | undefined;
  let questions = 0;
  beforeEach(async () => {
    redis = connectFailingFast(requireService("redis").url);
    await waitUntil(() => redis.status === "ready", { what: "the connection" });
    questions = 0;
    const ping = redis.ping.bind(redis) as () => Promise<"PONG">;
    redis.ping = () => {
      questions += 1;
      return ping();
    };
    mock.timers.enable({ apis: ["setTimeout"] });
  });
  afterEach(() => {
    check?.stop();
    mock.timers.reset();
    disconnect(redis);
  });

  /** Runs the next look, and waits for the answer to its question. */
  async function lookOnce(): Promise<void> {
    mock.timers.tick(600);
    await new Promise((resolve) => setImmediate(resolve));
    await redis.echo("");
  }

  function start(options: LivenessOptions): LivenessCheck {
    check = startLivenessCheck(redis, options);
    return check;
  }

  test("asks at each look, whatever was answered before", async () => {
    const { isFresh } = start({ startsFresh: false });
    expect(isFresh).toBe(false);
    for (let look = 1; look <= 3; look++) {
      await lookOnce();
      expect(questions).toBe(look);
    }
    expect(check?.isFresh).toBe(true);
  });

  test("leaves out the question after another answer", async () => {
    const subject = start({ startsFresh: false });
    subject.noticeAnswer();
    expect(subject.isFresh).toBe(true);
    await lookOnce();
    expect(questions).toBe(0);
  });

  test("on demand, it does not ask before somebody wants to know", async () => {
    const subject = start({ startsFresh: false, onDemand: true });
    await lookOnce();
    expect(questions).toBe(0);
    expect(subject.isFresh).toBe(true);
    expect(questions).toBe(1);
    await redis.echo("");
    await lookOnce();
    expect(questions).toBe(2);
    const later = performance.now() + 10_001;
    const clock = mock.method(performance, "now", () => later);
    try {
      await lookOnce();
      expect(questions).toBe(2);
    } finally {
      clock.mock.restore();
    }
  });
});
