// Two thousand retries that are due at the same time, after Redis has lost all their jobs.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createJobRepair, findViolations } from "@dari/control/operations";
import { announceWorker, createDispatcher, createReaper } from "@dari/control/turns";
import { dispatch } from "@dari/db";
import { limits } from "@dari/domain";
import { createLogger, loop, type Loop } from "@dari/runtime";
import {
  createTestOrganizations,
  describeWith,
  fillBacklog,
  requireService,
  testWorker,
  waitUntil,
} from "@dari/testkit";
import { openBoard, type Board } from "../../../packages/queue/tests/board.ts";
import { createGate } from "../src/capacity/gate.ts";
import { openFeedScene, type FeedScene } from "./feed-fixture.ts";

const retries = 2_000;
const slots = 8;
const cap = 3;
const log = createLogger({ name: "storm", level: "silent" });

describeWith("redis", "a storm of retries", () => {
  let scene: FeedScene;
  let board: Board;
  let stopping: AbortController;
  const loops: Promise<void>[] = [];
  const stop: (() => void)[] = [];
  beforeEach(async () => {
    scene = await openFeedScene();
    board = openBoard(requireService("redis").url, scene.queuePrefix);
    stopping = new AbortController();
  });
  afterEach(async () => {
    for (const one of stop.splice(0)) one();
    stopping.abort();
    await Promise.all(loops.splice(0));
    await board.close();
    await scene[Symbol.asyncDispose]();
  });

  function every(everyMs: number, name: string, runOnce: () => Promise<unknown>): Loop {
    const started = loop({ name, everyMs, runOnce, signal: stopping.signal, log });
    loops.push(started.done);
    return started;
  }

  /** Creates sessions whose first attempt failed, and which wait for their second one. */
  async function fillRetries(): Promise<void> {
    const places = await createTestOrganizations(scene.db, 4);
    const organizationIds = places.map((place) => place.organizationId);
    await scene.db.pool.query("update organizations set max_concurrency = $1", [cap]);
    await fillBacklog(scene.db, { organizationIds, messages: retries, text: "x" });
    const shares = organizationIds.map((organizationId) => ({ organizationId, count: retries }));
    const turns = await dispatch.dispatchIfReady(scene.db, shares, limits.dispatchTtlMs);
    await scene.db.pool.query(
      `with claimed as materialized (
        select t.id as session_id, c.* from unnest($1::text[]) t (id) cross join lateral
          claim_turn(t.id, 1, 'wrk_storm', replace(t.id, 'sess_', 'att_'), 600000, '{}') c),
      called as materialized (select *, mark_called(session_id, fence, claim_token, null) from claimed)
      select count(f.recorded) from called c cross join lateral finish_turn(c.session_id, c.fence, c.claim_token,
        'retry', '{"code": "agent_error", "message": "it threw"}', null, '[]', null, '{}', 600000, 10) f`,
      [turns.map((turn) => turn.sessionId)],
    );
  }

  async function countSessions(schedule: string): Promise<number> {
    const count = "select count(*)::int as n from sessions where schedule = $1";
    return (await scene.db.pool.query<{ n: number }>(count, [schedule])).rows[0]?.n ?? 0;
  }

  /** Runs repairs like the reconciler, with the lead that the scene holds. */
  function startRepairs(): void {
    const context = { ...scene.services, log };
    const { dispatchTtlMs } = limits;
    const settings = { holder: "test", leadTtlMs: 60_000, dispatchTtlMs, workerSeenWithinMs: 60_000 };
    const dispatcher = createDispatcher(context, settings);
    const reaper = createReaper(context, { leaseMs: 3_000, reapEveryMs: 500 });
    const dispatching = every(250, "dispatch", () => dispatcher.tick());
    for (const topic of ["ready", "slot"] as const) {
      stop.push(context.notifier.subscribe(topic, undefined, () => dispatching.nudge()));
    }
    every(500, "reap", () => reaper.runOnce());
  }

  test("all of them run, each once, and no organization exceeds its maximum of concurrent turns", async () => {
    await fillRetries();
    expect(await countSessions("retry_wait")).toBe(retries);
    const repair = createJobRepair({ db: scene.db, queue: scene.queue, log });
    for (let loss = 0; loss < 2; loss++) {
      // One pass after the loss gives each its job again.
      expect(await repair.runOnce()).toEqual({ added: retries, removed: 0 });
      expect(await scene.queue.counts()).toMatchObject({ delayed: retries, waiting: 0 });
      await board.flush();
    }
    await scene.db.pool.query("update sessions set ready_at = clock_timestamp() + interval '2 seconds'");
    expect(await repair.runOnce()).toEqual({ added: retries, removed: 0 });

    await announceWorker(scene.db, testWorker({ id: "wrk_storm", slots }));
    startRepairs();
    const running = new Map<string, number>();
    let most = 0;
    scene.start({
      gate: createGate({ slots, startsMax: slots }),
      async run(turn) {
        const count = (running.get(turn.organizationId) ?? 0) + 1;
        running.set(turn.organizationId, count);
        most = Math.max(most, count);
        try {
          return await scene.run(turn);
        } finally {
          running.set(turn.organizationId, (running.get(turn.organizationId) ?? 0) - 1);
        }
      },
    });
    while (scene.ran.length < retries) {
      const before = scene.ran.length;
      await waitUntil(() => scene.ran.length > before, { what: `more than ${before} retries`, timeoutMs: 20_000 });
    }
    await waitUntil(async () => (await countSessions("idle")) === retries, { what: "all sessions to rest" });
    expect([scene.ran.length, new Set(scene.ran).size]).toEqual([retries, retries]);
    expect(most).toBeLessThanOrEqual(cap);
    const { rows } = await scene.db.pool.query(
      "select state, attempts, count(*)::int as n from messages group by state, attempts",
    );
    expect(rows).toEqual([{ state: "failed", attempts: 1, n: retries }]);
    const claims = "select count(*)::int as n from attempts group by message_id having count(*) <> 2";
    expect((await scene.db.pool.query(claims)).rows).toEqual([]);
    expect(await findViolations(scene.db)).toEqual([]);
  }, 300_000);
});
