// A Redis that accepts connections but does not answer: every client notices within about a second, and none hangs.

import { randomUUID } from "node:crypto";
import { afterEach, expect, test } from "@jest/globals";
import { newId, type DispatchedTurn } from "@dari/domain";
import { describeWith, requireService, startFaultProxy, waitUntil, type FaultProxy } from "@dari/testkit";
import { createRedisNotifier, openTurnQueue, openTurnSource } from "../src/index.ts";

describeWith("redis", "a silent Redis", () => {
  const stacks: AsyncDisposableStack[] = [];
  afterEach(async () => {
    for (const stack of stacks.splice(0)) await stack.disposeAsync();
  });

  async function behindProxy(): Promise<{
    proxy: FaultProxy;
    url: string;
    prefix: string;
    stack: AsyncDisposableStack;
  }> {
    const stack = new AsyncDisposableStack();
    stacks.push(stack);
    const url = new URL(requireService("redis").url);
    const proxy = stack.use(await startFaultProxy({ port: Number(url.port) }));
    url.port = String(proxy.port);
    return { proxy, url: url.href, prefix: `test-${randomUUID()}`, stack };
  }

  const turn = (): DispatchedTurn => ({
    organizationId: newId("organization"),
    sessionId: newId("session"),
    messageId: newId("message"),
    dispatchNumber: 1,
    attemptsLeft: 3,
  });

  /** Longer than the intended second, for a busy machine. */
  const noticeMs = 3_000;

  test("queue, source and notifier say so, calls end, and all work again afterwards", async () => {
    const { proxy, url, prefix, stack } = await behindProxy();
    const location = { redisUrl: url, prefix, pool: "default" };
    const queue = stack.adopt(openTurnQueue(location), (opened) => opened.close());
    const source = stack.adopt(openTurnSource(location, { lockMs: 3_000 }), (opened) => opened.close());
    const notifier = stack.adopt(createRedisNotifier(queue.sender, prefix), (opened) => opened.close());
    const parts = [queue, source, notifier];
    await waitUntil(() => parts.every((one) => one.available), { what: "the connections" });
    await queue.deliver([turn()]);
    const ticket = await waitUntil(() => source.next(), { what: "the job" });

    proxy.blackHole();
    const startedAt = performance.now();
    await expect(queue.deliver([turn()])).rejects.toThrow();
    await waitUntil(() => parts.every((one) => !one.available), { what: "the silence to be noticed" });
    expect(performance.now() - startedAt).toBeLessThan(noticeMs);
    // A turn that ends during the outage does not wait for its job.
    const settling = performance.now();
    await ticket.settle({ kind: "completed" });
    expect(performance.now() - settling).toBeLessThan(1_000);

    proxy.forward();
    await waitUntil(() => parts.every((one) => one.available), { what: "the connections to work again" });
    const next = turn();
    await queue.deliver([next]);
    const found = await waitUntil(async () => (await source.next())?.sessionId === next.sessionId, {
      what: "the next job",
      timeoutMs: 30_000,
    });
    expect(found).toBe(true);
  });

  test("a running fetch ends, and closing takes no longer than its limit", async () => {
    const { proxy, url, prefix } = await behindProxy();
    const location = { redisUrl: url, prefix, pool: "default" };
    const [queue, source] = [openTurnQueue(location), openTurnSource(location, { lockMs: 3_000 })];
    await waitUntil(() => queue.available && source.available, { what: "the connections" });
    const fetching = source.next();
    proxy.blackHole();
    const startedAt = performance.now();
    await Promise.all([source.close(), queue.close(), fetching]);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test("a Redis that was silent from the start does not count as answering", async () => {
    const { proxy, url, prefix, stack } = await behindProxy();
    proxy.blackHole();
    const location = { redisUrl: url, prefix, pool: "default" };
    const queue = stack.adopt(openTurnQueue(location), (opened) => opened.close());
    const source = stack.adopt(openTurnSource(location, { lockMs: 3_000 }), (opened) => opened.close());
    await waitUntil(() => !source.available, { what: "the silence to be noticed" });
    expect(queue.available).toBe(false);
    const later = { ...turn(), waitMs: 1 };
    // Calls for an operator fail instead of waiting forever.
    const { counts, jobs, remove, deliverLater } = queue;
    for (const ask of [counts, () => jobs("failed"), () => remove(["a"]), () => deliverLater([later])]) {
      await expect(ask()).rejects.toThrow("Redis does not answer");
    }
    proxy.forward();
    await waitUntil(() => queue.available && source.available, { what: "the connections" });
    expect(await queue.counts()).toMatchObject({ waiting: 0 });
    await queue.deliver([turn()]);
    await waitUntil(() => source.next(), { what: "the job", timeoutMs: 30_000 });
  });
});
