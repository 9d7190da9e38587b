// What an operator does to jobs on a board with BullMQ's own calls: retry and promote.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createJobRepair, findViolations, promoteJob, retryJob } from "@dari/control/operations";
import { announceWorker, claimTurn, countAttempt, finishTurn, getMessage } from "@dari/control/turns";
import { failure, newId } from "@dari/domain";
import { describeWith, requireService, testWorker, waitUntil } from "@dari/testkit";
import { openBoard, type Board } from "../../../packages/queue/tests/board.ts";
import { openFeedScene, type FeedScene } from "./feed-fixture.ts";

describeWith("redis", "an operator's retry", () => {
  let scene: FeedScene;
  let board: Board;
  beforeEach(async () => {
    scene = await openFeedScene();
    board = openBoard(requireService("redis").url, scene.queuePrefix);
  });
  afterEach(async () => {
    await board.close();
    expect(await findViolations(scene.db)).toEqual([]);
    await scene[Symbol.asyncDispose]();
  });

  /** Creates a failed message and its failed job. */
  async function failed(): Promise<{ sessionId: string; messageId: string; jobId: string }> {
    const message = await scene.message();
    await scene.deliver(message);
    const jobId = `${message.messageId}.1`;
    await waitUntil(async () => (await board.stateOf(jobId)) === "failed", { what: "the failed job" });
    return { ...message, jobId };
  }

  async function retriesOf(messageId: string): Promise<string[]> {
    const { rows } = await scene.db.pool.query<{ id: string }>(
      "select id from messages where retry_of = $1 order by sequence_number",
      [messageId],
    );
    return rows.map((row) => row.id);
  }

  const actorOf = (organizationId: string) => ({ organizationId, keyId: "test", scopes: ["admin"] });

  test("sends the message again at the end, once, with an audit entry; the job names the new message", async () => {
    scene.start();
    const { messageId, sessionId, jobId } = await failed();
    await board.retry(jobId);
    await waitUntil(async () => (await board.stateOf(jobId)) === "completed", { what: "the job to be settled" });
    const [retry, ...more] = await retriesOf(messageId);
    expect(more).toEqual([]);
    expect(await board.resultOf(jobId)).toBe(`retried as ${retry}`);
    const record = await getMessage(scene.control, actorOf(scene.organizationId), retry ?? "");
    expect(record).toMatchObject({ session_id: sessionId, sequence_number: 2 });
    const { rows } = await scene.db.pool.query("select action, target, details from audit_entries");
    expect(rows).toEqual([
      { action: "message.retry", target: messageId, details: { new_message_id: retry, job_id: jobId } },
    ]);
  });

  test("a job that is delivered twice is retried once; one that failed again, a second time", async () => {
    const { sessionId, messageId } = await scene.message();
    const claimant = { workerId: newId("worker"), leaseMs: 3_000, guarantees: {} };
    const claim = await claimTurn(scene.db, { sessionId, dispatchNumber: 1 }, claimant);
    if (claim.outcome !== "claimed") throw new Error(claim.outcome);
    await finishTurn(scene.services, claim.turn, scene.organizationId, {
      ending: "failed",
      failure: failure("agent_error"),
    });
    const job = { jobId: `${messageId}.1`, organizationId: scene.organizationId, messageId, attemptsMade: 1 };
    const both = await Promise.all([retryJob(scene.control, job), retryJob(scene.control, job)]);
    const again = await retryJob(scene.control, job);
    expect([...both, again]).toEqual([again, again, again]);
    expect(await retriesOf(messageId)).toHaveLength(1);
    await retryJob(scene.control, { ...job, attemptsMade: 2 });
    expect(await retriesOf(messageId)).toHaveLength(2);
    const { rows } = await scene.db.pool.query("select 1 from audit_entries");
    expect(rows).toHaveLength(2);
  });

  test("a job whose worker died between the commit and its end does not count as a retry", async () => {
    const { sessionId, messageId } = await scene.message();
    await scene.deliver({ sessionId, messageId });
    const ticket = await waitUntil(() => scene.source.next(), { what: "the job" });
    const claimant = { workerId: newId("worker"), leaseMs: 3_000, guarantees: {} };
    const claim = await claimTurn(scene.db, ticket, claimant);
    if (claim.outcome !== "claimed") throw new Error(claim.outcome);
    const failed = { ending: "failed", failure: failure("agent_error") } as const;
    await finishTurn(scene.services, claim.turn, scene.organizationId, failed);
    // The worker dies here; another one gets the job.
    await ticket.settle({ kind: "later", delayMs: 1 });
    scene.start();
    await waitUntil(async () => (await board.stateOf(ticket.jobId)) === "unknown", { what: "the job to be gone" });
    expect(await retriesOf(messageId)).toEqual([]);
  });

  test("a job that cannot be retried says why, and a forged retry leaves nothing", async () => {
    scene.start();
    const { sessionId, jobId, messageId } = await failed();
    await scene.db.pool.query("update sessions set state = 'completed', ended_at = clock_timestamp() where id = $1", [
      sessionId,
    ]);
    await board.retry(jobId);
    await waitUntil(async () => (await board.reasonOf(jobId))?.startsWith("not retried: "), { what: "the refusal" });
    expect(await board.stateOf(jobId)).toBe("failed");
    const job = { jobId, messageId, attemptsMade: 1 };
    for (const organizationId of [newId("organization"), "org_x"]) {
      expect(await retryJob(scene.control, { ...job, organizationId })).toEqual({ outcome: "nothing" });
    }
    expect(await retriesOf(messageId)).toEqual([]);
  });

  /** Creates a message whose first attempt has ended and whose second is due in ten minutes, and its delayed job. */
  async function delayed(isAdded = false): Promise<{ sessionId: string; messageId: string; jobId: string }> {
    const message = await scene.message();
    const waiting = { ending: "retry", failure: failure("agent_error"), waitMs: 600_000 } as const;
    // Whether a retry may continue at once depends on the fleet's slots.
    await announceWorker(scene.db, testWorker());
    scene.start({
      async run(turn) {
        if (turn.attemptNumber > 1) return scene.run(turn);
        await countAttempt(scene.db, turn);
        await finishTurn(scene.services, turn, scene.organizationId, waiting);
        const retry = { kind: "retry", reason: "agent_error", delayMs: waiting.waitMs } as const;
        return { settlement: isAdded ? { kind: "obsolete" } : retry, released: Promise.resolve() };
      },
    });
    await scene.deliver(message);
    const jobId = `${message.messageId}.1`;
    if (isAdded) {
      const waits = "select 1 from sessions where id = $1 and schedule = 'retry_wait'";
      const isWaiting = async () => (await scene.db.pool.query(waits, [message.sessionId])).rows.length > 0;
      await waitUntil(isWaiting, { what: "the retry" });
      await waitUntil(async () => (await board.stateOf(jobId)) === "unknown", { what: "the job to be gone" });
      const context = { db: scene.db, queue: scene.queue, log: scene.services.log };
      await createJobRepair(context).runOnce();
    }
    await waitUntil(async () => (await board.stateOf(jobId)) === "delayed", { what: "the delayed job" });
    return { ...message, jobId };
  }

  test.each([false, true])(
    "a promoted retry runs immediately, with an audit entry; job added again: %s",
    async (isAdded) => {
      const { jobId, messageId } = await delayed(isAdded);
      await board.promote(jobId);
      await waitUntil(() => scene.ran.includes(messageId), { what: "the second attempt" });
      const { rows } = await scene.db.pool.query("select action, target, details from audit_entries");
      expect(rows).toEqual([{ action: "message.promote", target: messageId, details: { job_id: jobId } }]);
    },
  );

  test("a job that another machine's clock releases too early waits for its time", async () => {
    const { jobId, messageId, sessionId } = await delayed();
    const before = scene.source.fetched;
    // This machine thought that it was due; the row says that it is not.
    const stack = JSON.stringify([`TurnRetry: agent_error\ndue ${Date.now()}`]);
    await board.write(jobId, { stacktrace: stack });
    await board.promote(jobId);
    await waitUntil(() => scene.source.fetched > before, { what: "the job to be taken" });
    await waitUntil(async () => (await board.stateOf(jobId)) === "delayed", { what: "the job to be delayed again" });
    expect(scene.ran).not.toContain(messageId);
    const { rows } = await scene.db.pool.query("select schedule from sessions where id = $1", [sessionId]);
    expect(rows).toEqual([{ schedule: "retry_wait" }]);
  });

  test("a promotion is for its own organization's retry that waits, once", async () => {
    const { jobId, sessionId } = await delayed();
    const job = { jobId, sessionId, organizationId: scene.organizationId, dispatchNumber: 1 };
    expect(await promoteJob(scene.control, { ...job, organizationId: newId("organization") })).toBe(false);
    expect(await promoteJob(scene.control, { ...job, dispatchNumber: 2 })).toBe(false);
    const both = await Promise.all([promoteJob(scene.control, job), promoteJob(scene.control, job)]);
    expect(new Set(both)).toEqual(new Set([true, false]));
    expect((await scene.db.pool.query("select 1 from audit_entries")).rows).toHaveLength(1);
  });
});
