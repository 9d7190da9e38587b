// Turn jobs on a real Redis: what operators see of a turn, and what a worker may do with its job.

import { randomUUID } from "node:crypto";
import { afterEach, expect, test } from "@jest/globals";
import type { DispatchedTurn } from "@dari/domain";
import { describeWith, requireService, waitUntil } from "@dari/testkit";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import {
  openTurnQueue,
  openTurnSource,
  turnJobId,
  type TurnQueue,
  type TurnSource,
  type TurnTicket,
} from "../src/index.ts";

describeWith("redis", "turn jobs", () => {
  const opened: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await one.close();
  });

  function open(lockMs = 30_000): { queue: TurnQueue; source: TurnSource; board: Queue; redis: Redis } {
    const location = { redisUrl: requireService("redis").url, prefix: `test-${randomUUID()}`, pool: "default" };
    const queue = openTurnQueue(location);
    const source = openTurnSource(location, { lockMs });
    const redis = new Redis(location.redisUrl, { maxRetriesPerRequest: null });
    const board = new Queue("turns-default", { connection: redis, prefix: location.prefix });
    opened.push({ close: () => Promise.resolve(redis.disconnect()) }, { close: () => board.close() }, queue, source);
    return { queue, source, board, redis };
  }

  const turn = (attemptsLeft = 3): DispatchedTurn => ({
    organizationId: "org_a",
    sessionId: `sess_${randomUUID()}`,
    messageId: `msg_${randomUUID()}`,
    dispatchNumber: 1,
    attemptsLeft,
  });

  async function deliver(queue: TurnQueue, one: DispatchedTurn): Promise<void> {
    await waitUntil(() => queue.available, { what: "the queue's connection" });
    await queue.deliver([one]);
  }

  async function take(source: TurnSource): Promise<TurnTicket> {
    return waitUntil(() => source.next(), { what: "a turn job" });
  }

  test("a retry is seen as delayed with one attempt made, then the job comes again and completes", async () => {
    const { queue, source, board } = open();
    const one = turn();
    await deliver(queue, one);
    const first = await take(source);
    expect(first).toMatchObject({ sessionId: one.sessionId, dispatchNumber: 1 });
    await first.settle({ kind: "retry", reason: "agent_error: it threw", delayMs: 50 });

    const delayed = await board.getJob(turnJobId(one));
    expect(await delayed?.getState()).toBe("delayed");
    expect(delayed).toMatchObject({ attemptsMade: 1, failedReason: "agent_error: it threw" });

    const second = await take(source);
    await second.settle({ kind: "completed" });
    expect(await (await board.getJob(turnJobId(one)))?.getState()).toBe("completed");
  });

  test("a terminal failure is a failed job with its reason, also with attempts left", async () => {
    const { queue, source, board } = open();
    const one = turn();
    await deliver(queue, one);
    await (await take(source)).settle({ kind: "failed", reason: "timeout: too slow" });
    const job = await board.getJob(turnJobId(one));
    expect(await job?.getState()).toBe("failed");
    expect(job?.failedReason).toBe("timeout: too slow");
  });

  test("looking later uses no attempt; an obsolete job leaves no trace", async () => {
    const { queue, source, board } = open();
    const one = turn(1);
    await deliver(queue, one);
    await (await take(source)).settle({ kind: "later", delayMs: 10 });
    const again = await take(source);
    expect((await board.getJob(turnJobId(one)))?.attemptsMade).toBe(0);
    await again.settle({ kind: "obsolete" });
    expect(await board.getJob(turnJobId(one))).toBeUndefined();
  });

  test("the job of a source that died comes to another, however often, and is never failed for it", async () => {
    const { queue, board, redis } = open();
    const one = turn();
    await deliver(queue, one);
    const location = { redisUrl: requireService("redis").url, prefix: board.opts.prefix ?? "", pool: "default" };
    for (let i = 0; i < 3; i++) {
      const dying = openTurnSource(location, { lockMs: 500 });
      expect(await take(dying)).toMatchObject({ sessionId: one.sessionId });
      await dying.close();
    }
    const heir = openTurnSource(location, { lockMs: 500 });
    opened.push(heir);
    const ticket = await take(heir);
    expect(await (await board.getJob(turnJobId(one)))?.getState()).toBe("active");
    await ticket.settle({ kind: "completed" });
    expect(redis.status).toBe("ready");
  });

  test("a flush is noticed once", async () => {
    const { queue, board, redis } = open();
    await waitUntil(() => queue.available, { what: "the queue's connection" });
    expect(await queue.noticeFlush()).toBe(true);
    expect(await queue.noticeFlush()).toBe(false);
    // Other test files use the same server, so only what this queue has is removed.
    await redis.del(await redis.keys(`${board.opts.prefix}:*`));
    expect(await queue.noticeFlush()).toBe(true);
  });

  test("a queue whose Redis is away says so at once", async () => {
    const queue = openTurnQueue({ redisUrl: "redis://127.0.0.1:1", prefix: "test", pool: "default" });
    opened.push(queue);
    expect(queue.available).toBe(false);
    await expect(queue.deliver([turn()])).rejects.toThrow(/not reachable/);
  });
});
