// The cost of losing Redis under constant load: a real API, reconciler and worker, but no real agents, so that the
// figures are the platform's own. The test shows them when they exceed a limit.

import { expect, test } from "@jest/globals";
import { describeWith, startFaultProxy, waitUntil, type FaultProxy } from "@dari/testkit";
import type { Contestant } from "../src/bench/contestant.ts";
import { startPlatform } from "../src/bench/platform.ts";
import { startRedisServer } from "../src/redis-server.ts";
import { sendEveryMs, startSteadyLoad, type SteadyLoad } from "../src/steady-load.ts";

/** An allowance for other tests on the same machine. Milliseconds. */
const busyMs = 1_500;

interface Span {
  readonly from: Date;
  readonly until: Date;
}

interface Figures {
  readonly messages: number;
  /** The longest time from acceptance to start. */
  readonly waitMs: number;
  /** The longest time between the starts of two consecutive turns. */
  readonly gapMs: number;
}

describeWith("redis", "a platform that loses its Redis", () => {
  test("runs on without a gap while it is away or silent, and loses no second to a flush", async () => {
    await using stack = new AsyncDisposableStack();
    const redis = stack.use(await startRedisServer());
    const url = new URL(redis.url);
    const proxy = stack.use(await startFaultProxy({ port: Number(url.port) }));
    url.port = String(proxy.port);
    const platform = stack.use(await startPlatform({ sessions: 600, env: { REDIS_URL: url.href } }));
    await using load = startSteadyLoad(platform);

    const calm = await measure(platform, load, 3_000);
    const refused = await during(proxy, "refuse", () => measure(platform, load, 6_000));
    await measure(platform, load, 3_000);
    const silent = await during(proxy, "blackHole", () => measure(platform, load, 6_000));
    await measure(platform, load, 3_000);
    const flushed = await measure(platform, load, 6_000, () => redis.command("FLUSHALL"));

    const lost = {
      refusedMs: Math.max(refused.gapMs, refused.waitMs),
      silentMs: Math.max(silent.gapMs, silent.waitMs),
      flushedMs: flushed.waitMs - calm.waitMs,
    };
    expect({ calm, refused, silent, flushed, isKept: isKept(lost) }).toMatchObject({ isKept: true });
  }, 180_000);
});

const isKept = (lost: { refusedMs: number; silentMs: number; flushedMs: number }): boolean =>
  Math.max(lost.refusedMs, lost.silentMs) < 2_000 + busyMs && lost.flushedMs < 1_000 + busyMs;

async function during<T>(proxy: FaultProxy, fault: "refuse" | "blackHole", work: () => Promise<T>): Promise<T> {
  proxy[fault]();
  try {
    return await work();
  } finally {
    proxy.forward();
  }
}

/**
 * Sends messages for about `forMs`, waits until all have started, and returns the times. Calls `strike` each second.
 */
async function measure(
  { servers: { db } }: Contestant,
  load: SteadyLoad,
  forMs: number,
  strike?: () => Promise<unknown>,
): Promise<Figures> {
  const now = async (): Promise<Date> =>
    (await db.pool.query<{ now: Date }>("select clock_timestamp() as now")).rows[0]!.now;
  const from = await now();
  for (let second = 0; second < forMs / 1_000; second++) {
    await strike?.();
    const sent = load.sent;
    await waitUntil(() => load.sent >= sent + 1_000 / sendEveryMs, { what: "a second of messages" });
  }
  const span = { from, until: await now() };
  await waitUntil(async () => (await figuresOf(db, span)).left === 0, { what: "all to start", timeoutMs: 30_000 });
  return (await figuresOf(db, span)).figures;
}

async function figuresOf(
  db: Contestant["servers"]["db"],
  { from, until }: Span,
): Promise<{ left: number; figures: Figures }> {
  const { rows } = await db.pool.query<Figures & { left: number }>(
    `select count(*)::int as messages, (count(*) filter (where started_at is null))::int as left,
      round(max(extract(epoch from started_at - created_at)) * 1000)::int as "waitMs",
      round(max(extract(epoch from gap)) * 1000)::int as "gapMs"
    from (select *, started_at - lag(started_at) over (order by started_at) as gap from dari.messages
      where created_at between $1 and $2) m`,
    [from, until],
  );
  const { left, ...figures } = rows[0]!;
  return { left, figures };
}
