// The queue is made to agree with the rows: missing jobs are added, jobs without a row are removed.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createJobRepair, rebuildFailedJobs, type JobContext } from "@dari/control/operations";
import { claimTurn, finishTurn } from "@dari/control/turns";
import { dispatch } from "@dari/db";
import { failure, limits, newId } from "@dari/domain";
import { describeWith, fillBacklog, requireService, waitUntil } from "@dari/testkit";
import { openBoard, type Board } from "../../../packages/queue/tests/board.ts";
import { openFeedScene, type FeedScene } from "./feed-fixture.ts";

describeWith("redis", "the queue after a loss", () => {
  let scene: FeedScene;
  let board: Board;
  let context: JobContext;
  beforeEach(async () => {
    scene = await openFeedScene();
    board = openBoard(requireService("redis").url, scene.queuePrefix);
    context = { db: scene.db, queue: scene.queue, log: scene.services.log };
  });
  afterEach(async () => {
    await board.close();
    await scene[Symbol.asyncDispose]();
  });

  /** Runs a turn that ends like this. */
  async function end(ending: "failed" | "retry", waitMs = 0): Promise<{ sessionId: string; messageId: string }> {
    const message = await scene.message();
    const claimant = { workerId: newId("worker"), leaseMs: 3_000, guarantees: {} };
    const claim = await claimTurn(scene.db, { sessionId: message.sessionId, dispatchNumber: 1 }, claimant);
    if (claim.outcome !== "claimed") throw new Error(claim.outcome);
    const input = { ending, failure: failure("agent_error"), waitMs };
    await finishTurn(scene.services, claim.turn, scene.organizationId, input);
    return message;
  }

  /** Creates this many sessions with a waiting message, all of them ready. */
  const fill = (messages: number): Promise<void> =>
    fillBacklog(scene.db, { organizationIds: [scene.organizationId], messages, text: "x" });

  /** Without the time that a worker has to end the job itself. */
  const now = { settlingMs: 0 };

  const setWaited = (sessionId: string, seconds: number): Promise<unknown> =>
    scene.db.pool.query(
      "update sessions set lease_until = clock_timestamp() + (5 - $2::int) * interval '1 second' where id = $1",
      [sessionId, seconds],
    );

  test("a dispatch that is seconds old gets its job; a new one is left to its dispatcher", async () => {
    const [lost, fresh] = [await scene.message(), await scene.message()];
    await setWaited(lost.sessionId, 3);
    const repair = createJobRepair(context);
    expect(await repair.runOnce()).toEqual({ added: 1, removed: 0 });
    expect(await board.stateOf(`${lost.messageId}.1`)).toBe("waiting");
    expect(await board.stateOf(`${fresh.messageId}.1`)).toBe("unknown");
    expect(await repair.runOnce()).toEqual({ added: 0, removed: 0 });
  });

  test("every dispatch is checked in its turn, however many others have their jobs", async () => {
    await fill(450);
    const share = { organizationId: scene.organizationId, count: 450 };
    const turns = await dispatch.dispatchIfReady(scene.db, [share], limits.dispatchTtlMs);
    // In the order of their dispatch; two of them at the same time.
    await scene.db.pool.query(
      `update sessions set lease_until = clock_timestamp() + interval '1 second' + n / 2 * interval '1 ms'
      from unnest($1::text[]) with ordinality as o (id, n) where sessions.id = o.id`,
      [turns.map((turn) => turn.sessionId)],
    );
    const lost = turns.at(-1)!;
    await scene.queue.deliver(turns.slice(0, -1));
    const repair = createJobRepair(context);
    const added: number[] = [];
    for (let pass = 0; pass < 3; pass++) added.push((await repair.runOnce()).added);
    expect(added).toEqual([0, 0, 1]);
    expect(await board.stateOf(`${lost.messageId}.1`)).toBe("waiting");
  });

  test("a retry gets its job back with the time that is left and the attempts that are left", async () => {
    const { messageId } = await end("retry", 90_000);
    const repair = createJobRepair(context);
    expect(await repair.runOnce()).toEqual({ added: 1, removed: 0 });
    const job = await board.job(`${messageId}.1`);
    expect(await job?.getState()).toBe("delayed");
    expect(job?.delay).toBeGreaterThan(60_000);
    expect(job?.delay).toBeLessThanOrEqual(90_000);
    expect(job?.opts.attempts).toBe(3);
    expect(await repair.runOnce()).toEqual({ added: 0, removed: 0 });
  });

  test("jobs that no row matches are removed, others are not", async () => {
    const [standing, ended] = [await scene.message(), await end("failed")];
    const organizationId = scene.organizationId;
    const turn = { organizationId, dispatchNumber: 1, attemptsLeft: 1 };
    await scene.deliver(standing);
    await scene.queue.deliver([
      { ...turn, ...standing, dispatchNumber: 7 },
      { ...turn, sessionId: newId("session"), messageId: newId("message") },
    ]);
    // It may be an operator's retry on its way to a worker.
    await scene.queue.deliver([{ ...turn, ...ended }]);
    await board.forge("forged", { text: "x".repeat(100_000) });
    const unknown = { sessionId: newId("session"), messageId: newId("message") };
    await scene.queue.deliverLater([{ ...turn, ...unknown, waitMs: 60_000 }]);
    expect(await createJobRepair(context).runOnce()).toEqual({ added: 0, removed: 4 });
    expect(new Set(await board.waiting())).toEqual(new Set([`${standing.messageId}.1`, `${ended.messageId}.1`]));
  });

  test("while Redis is silent nothing is repaired, and nothing hangs", async () => {
    await setWaited((await scene.message()).sessionId, 3);
    scene.proxy.blackHole();
    await waitUntil(() => !scene.queue.available, { what: "the silence to be noticed" });
    expect(await createJobRepair(context).runOnce()).toEqual({ added: 0, removed: 0 });
    expect(await rebuildFailedJobs(context)).toBe(0);
  });

  test("after a flush the newest failed turns are failed jobs again, and can be retried", async () => {
    const [first, second] = [await end("failed"), await end("failed")];
    expect(await rebuildFailedJobs(context, now)).toBe(2);
    expect(await rebuildFailedJobs(context, now)).toBe(0);
    await board.flush();
    expect(await rebuildFailedJobs(context, now)).toBe(2);
    expect(await board.reasonOf(`${first.messageId}.0`)).toBe("agent_error");
    scene.start();
    await board.retry(`${first.messageId}.0`);
    await waitUntil(async () => (await board.stateOf(`${first.messageId}.0`)) === "completed", { what: "the retry" });
    // A message that was sent again no longer concerns operators.
    await waitUntil(() => scene.gate.taken === 0 && scene.ran.length >= 0, { what: "the worker" });
    await board.flush();
    await rebuildFailedJobs(context, now);
    expect(await board.stateOf(`${first.messageId}.0`)).toBe("unknown");
    expect(await board.stateOf(`${second.messageId}.0`)).toBe("failed");
  });

  test("more failed turns than a page has are all failed jobs, even if they failed in the same moment", async () => {
    await fill(2_300);
    await scene.db.pool.query("update sessions set schedule = 'idle', ready_at = null, pending = 0");
    await scene.db.pool.query(
      `update messages set state = 'failed', attempts = 1, output = '{"parts": [], "error": {"code": "agent_error"}}',
        completed_at = now() - interval '1 minute', failed_at = now() - interval '1 minute'`,
    );
    expect(await rebuildFailedJobs(context, now)).toBe(2_300);
    expect(await scene.queue.counts()).toMatchObject({ failed: 2_300 });
    expect(await rebuildFailedJobs(context, now)).toBe(0);
  });

  test("a turn that failed without a job gets one; a job that can still be settled is left alone", async () => {
    expect(await rebuildFailedJobs(context)).toBe(0);
    const { messageId } = await end("failed");
    expect(await rebuildFailedJobs(context)).toBe(0);
    expect(await rebuildFailedJobs(context, now)).toBe(1);
    expect(await board.stateOf(`${messageId}.0`)).toBe("failed");
    const settled = await scene.message();
    scene.start();
    await scene.deliver(settled);
    await waitUntil(async () => (await board.stateOf(`${settled.messageId}.1`)) === "failed", { what: "the job" });
    expect(await rebuildFailedJobs(context, now)).toBe(0);
  });
});
