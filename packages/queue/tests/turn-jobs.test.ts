// Turn jobs on a real Redis: what operators see of a turn, and what a worker may do with its job.

import { randomUUID } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, expect, test } from "@jest/globals";
import { newId, type DispatchedTurn } from "@dari/domain";
import { describeWith, requireService, waitUntil } from "@dari/testkit";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import {
  openTurnQueue,
  openTurnSource,
  turnJobId,
  type QueueLocation,
  type TurnQueue,
  type TurnSource,
  type TurnTicket,
} from "../src/index.ts";
import { openTurnConsumer } from "../src/turn-consumer.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

describeWith("redis", "turn jobs", () => {
  const opened: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await one.close();
  });

  interface Opened {
    readonly location: QueueLocation;
    readonly queue: TurnQueue;
    readonly source: TurnSource;
    readonly board: Queue;
    readonly redis: Redis;
  }

  function open(lockMs = 30_000): Opened {
    const location = { redisUrl: requireService("redis").url, prefix: `test-${randomUUID()}`, pool: "default" };
    const queue = openTurnQueue(location);
    const source = openTurnSource(location, { lockMs });
    const redis = new Redis(location.redisUrl, { maxRetriesPerRequest: null });
    const board = new Queue("turns-default", { connection: redis, prefix: location.prefix });
    opened.push({ close: () => Promise.resolve(redis.disconnect()) }, { close: () => board.close() }, queue, source);
    return { location, queue, source, board, redis };
  }

  const turn = (attemptsLeft = 3): DispatchedTurn => ({
    organizationId: newId("organization"),
    sessionId: newId("session"),
    messageId: newId("message"),
    dispatchNumber: 1,
    attemptsLeft,
  });

  const ids = ({ organizationId, sessionId, messageId, dispatchNumber }: DispatchedTurn): object => ({
    organizationId,
    sessionId,
    messageId,
    dispatchNumber,
  });

  async function deliver(queue: TurnQueue, one: DispatchedTurn): Promise<void> {
    await waitUntil(() => queue.available, { what: "the queue's connection" });
    await queue.deliver([one]);
  }

  async function take(source: TurnSource): Promise<TurnTicket> {
    return waitUntil(() => source.next(), { what: "a turn job" });
  }

  test("a job that was fetched is not kept once it is settled", async () => {
    const { queue, location } = open();
    const consumer = openTurnConsumer(location, { lockMs: 30_000 });
    opened.push(consumer);
    const fetchOne = async (): Promise<WeakRef<object>> => {
      await deliver(queue, turn());
      const { job, token } = await waitUntil(() => consumer.next(), { what: "a turn job" });
      await job.moveToCompleted(null, token, false);
      return new WeakRef(job);
    };
    const first = await fetchOne();
    await fetchOne();
    const isForgotten = (): boolean => {
      collectGarbage();
      return first.deref() === undefined;
    };
    await waitUntil(isForgotten, { what: "the first job to be forgotten" });
  });

  test("a retry is seen as delayed with one attempt made, then the job is delivered again and completes", async () => {
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

  test("a retry that the row allows is never a failed job, whatever the job has counted", async () => {
    const { queue, source, board } = open();
    const one = turn(1);
    await deliver(queue, one);
    for (const attemptsMade of [1, 2]) {
      await (await take(source)).settle({ kind: "retry", reason: "platform", delayMs: 1 });
      const job = await board.getJob(turnJobId(one));
      expect([await job?.getState(), job?.attemptsMade]).toEqual(["delayed", attemptsMade]);
    }
    await (await take(source)).settle({ kind: "failed", reason: "agent_error" });
    expect(await (await board.getJob(turnJobId(one)))?.getState()).toBe("failed");
  });

  test("a job that an operator promotes is recognized by its early delivery; one that was due is not", async () => {
    const { queue, source, board } = open();
    const [retried, added] = [turn(), turn()];
    await deliver(queue, retried);
    await (await take(source)).settle({ kind: "retry", reason: "agent_error", delayMs: 1 });
    const due = await take(source);
    expect(due.cameEarly).toBe(false);
    await due.settle({ kind: "retry", reason: "agent_error", delayMs: 60_000 });
    await (await board.getJob(turnJobId(retried)))?.promote();
    expect(await take(source)).toMatchObject({ ...ids(retried), cameEarly: true, wasFailed: false });
    await queue.deliverLater([{ ...added, waitMs: 60_000 }]);
    await (await board.getJob(turnJobId(added)))?.promote();
    expect(await take(source)).toMatchObject({ ...ids(added), cameEarly: true });
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

  test("the job of a source that died is delivered to another, any number of times, and never fails", async () => {
    const { queue, board, redis } = open(500);
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

  test("the locks of all held jobs are renewed", async () => {
    const { queue, source, board, redis } = open(900);
    const both = [turn(), turn()];
    for (const one of both) await deliver(queue, one);
    const tickets = [await take(source), await take(source)];
    const left = async (): Promise<number> => {
      const locks = both.map((one) => redis.pttl(`${board.toKey(turnJobId(one))}:lock`));
      return Math.min(...(await Promise.all(locks)));
    };
    let lowest = await left();
    const isRenewed = async (): Promise<boolean> => {
      const now = await left();
      const hasRisen = now > lowest + 100;
      lowest = Math.min(lowest, now);
      return hasRisen;
    };
    await waitUntil(isRenewed, { what: "both locks to be renewed" });
    for (const ticket of tickets) await ticket.settle({ kind: "completed" });
  });

  test("a job that an operator retries is recognized by its failure; a redelivered one is not", async () => {
    const { queue, source, board } = open();
    const one = turn(3);
    await deliver(queue, one);
    const first = await take(source);
    expect(first).toMatchObject({ wasFailed: false, attemptsMade: 0 });
    await first.settle({ kind: "retry", reason: "agent_error", delayMs: 1 });
    const second = await take(source);
    // If the worker dies here, after the row was failed, the job is redelivered in this state.
    expect(second).toMatchObject({ wasFailed: false, attemptsMade: 1 });
    await second.settle({ kind: "failed", reason: "agent_error" });
    await (await board.getJob(turnJobId(one)))?.retry();
    const third = await take(source);
    expect(third).toMatchObject({ ...ids(one), wasFailed: true, attemptsMade: 2, jobId: turnJobId(one) });
    await third.settle({ kind: "completed", note: "retried as msg_x" });
    const done = await board.getJob(turnJobId(one));
    expect([await done?.getState(), done?.returnvalue]).toEqual(["completed", "retried as msg_x"]);
  });

  test("jobs in another form are removed, and the next one is delivered", async () => {
    const { queue, source, board, redis } = open();
    const one = turn();
    const garbage: unknown[] = [
      {},
      null,
      "text",
      { ...ids(one), sessionId: "sess_\u0000" },
      { ...ids(one), dispatchNumber: -1 },
      { ...ids(one), dispatchNumber: 1e300 },
      { ...ids(one), padding: "x".repeat(1_000_000) },
      // Another job's data under its own id.
      ids(one),
    ];
    await board.addBulk(garbage.map((data, index) => ({ name: "turn", data, opts: { jobId: `forged-${index}` } })));
    await board.add("turn", ids(one), { jobId: "unreadable" });
    await redis.hset(board.toKey("unreadable"), { data: "{", opts: "[[", progress: "?", rjk: "a:b:c:d:e:f" });
    await deliver(queue, one);
    expect(await take(source)).toMatchObject(ids(one));
    expect(await board.getJobCounts()).toMatchObject({ waiting: 0, active: 1, completed: 0, failed: 0 });
    expect(await redis.keys(`${board.opts.prefix}:turns-default:forged-*`)).toEqual([]);
  });

  test("over new connections the jobs that run are kept and settled, and others are fetched", async () => {
    const { queue, source, board } = open(2_000);
    const [running, next] = [turn(), turn()];
    await deliver(queue, running);
    const ticket = await take(source);
    const waiting = source.next();
    await source.reopen();
    // Whatever the old connection still waits for.
    await waiting;
    await deliver(queue, next);
    const other = await take(source);
    expect(other).toMatchObject(ids(next));
    await Promise.all([ticket.settle({ kind: "completed" }), other.settle({ kind: "completed" })]);
    for (const one of [running, next]) {
      expect(await (await board.getJob(turnJobId(one)))?.getState()).toBe("completed");
    }
    expect(source.fetched).toBe(2);
  });

  test("tells which turns have no job, and which jobs there are, page by page", async () => {
    const { queue, board } = open();
    const turns = [turn(), turn(), turn(), turn(), turn()];
    await deliver(queue, turns[0]!);
    await queue.deliverLater([{ ...turns[1]!, waitMs: 60_000 }]);
    expect(await queue.withoutJob(turns)).toEqual(turns.slice(2));
    const delayed = await board.getJob(turnJobId(turns[1]!));
    expect([await delayed?.getState(), delayed?.delay]).toEqual(["delayed", 60_000]);
    await queue.deliver(turns.slice(2));
    await board.add("turn", { padding: "x".repeat(10_000) }, { jobId: "huge" });
    const seen = [...(await queue.scan(3)), ...(await queue.scan(3))];
    expect(new Set(seen.map((job) => job.jobId))).toEqual(new Set([...turns.map(turnJobId), "huge"]));
    expect(seen.find((job) => job.jobId === "huge")?.turn).toBeUndefined();
    expect(await queue.remove(["huge", turnJobId(turns[1]!)])).toBe(2);
    expect(await board.getJobCounts()).toMatchObject({ waiting: 4, delayed: 0 });
  });

  test("failed jobs are rebuilt unchanged, once, and can be retried", async () => {
    const { queue, source, board } = open();
    await waitUntil(() => queue.available, { what: "the queue's connection" });
    expect(await queue.failed.until()).toBeUndefined();
    const failedAt = new Date("2026-01-02T03:04:05Z");
    const { organizationId, sessionId, messageId } = turn();
    const failed = { organizationId, sessionId, messageId, reason: "timeout", attempts: 3, failedAt };
    const turns = [{ ...failed, acceptedAt: new Date("2026-01-02T03:00:00Z") }];
    expect(await queue.failed.add(turns)).toBe(1);
    expect(await queue.failed.add(turns)).toBe(0);
    await queue.failed.setUntil(2_000);
    expect(await queue.failed.until()).toBe(2_000);
    const [job] = await board.getFailed();
    expect(job).toMatchObject({ failedReason: "timeout", attemptsMade: 3, finishedOn: failedAt.getTime() });
    await job?.retry();
    const ticket = await take(source);
    expect(ticket).toMatchObject({ organizationId, sessionId, messageId, wasFailed: true, attemptsMade: 3 });
    await ticket.settle({ kind: "failed", reason: "not retried: the session is completed" });
    expect((await board.getFailed()).map((one) => one.failedReason)).toEqual(["not retried: the session is completed"]);
  });

  test.each(["", "later", "-1", "1e300", "[object Object]"])("%j is not a valid mark", async (text) => {
    const { queue, board, redis } = open();
    await waitUntil(() => queue.available, { what: "the queue's connection" });
    await redis.set(`${board.opts.prefix}:sentinel:default:failed`, text);
    expect(await queue.failed.until()).toBeUndefined();
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

  test("a queue whose Redis is unreachable says so immediately", async () => {
    const queue = openTurnQueue({ redisUrl: "redis://127.0.0.1:1", prefix: "test", pool: "default" });
    opened.push(queue);
    expect(queue.available).toBe(false);
    await expect(queue.deliver([turn()])).rejects.toThrow(/does not answer/);
  });
});
