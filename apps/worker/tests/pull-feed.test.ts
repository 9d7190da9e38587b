// Direct pull beside a working queue: it pulls whenever it is notified.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createWorkerLook } from "@dari/control/turns";
import { newId } from "@dari/domain";
import { createLogger } from "@dari/runtime";
import { describeWith, waitUntil } from "@dari/testkit";
import { startPulling, type PullFeed } from "../src/feeds/pull-feed.ts";
import { openFeedScene, type FeedScene } from "./feed-fixture.ts";

describeWith("redis", "direct pull", () => {
  let scene: FeedScene;
  let stopping: AbortController;
  let pulling: PullFeed;
  beforeEach(async () => {
    scene = await openFeedScene();
    stopping = new AbortController();
    const { db, services, gate, source, run } = scene;
    const claimant = { workerId: newId("worker"), leaseMs: 3_000, guarantees: {} };
    const unused = { retry: unasked, promote: unasked, giveUp: unasked };
    const log = createLogger({ name: "pull", level: "silent" });
    pulling = startPulling(
      { db, log, notifier: services.notifier, look: createWorkerLook(db), claimant },
      { gate, source, run, ...unused },
      stopping.signal,
    );
  });
  afterEach(async () => {
    stopping.abort();
    await pulling.done;
    await scene[Symbol.asyncDispose]();
  });

  test("a signal during the question who leads the dispatch is not lost", async () => {
    await waitUntil(() => scene.source.available, { what: "the queue" });
    const holder = await scene.db.pool.connect();
    try {
      await holder.query("begin");
      await holder.query("lock table leaders in access exclusive mode");
      await waitUntil(() => waitsForLeaders(holder), { what: "the question who leads" });
      const { messageId } = await scene.message();
      pulling.pull();
      await holder.query("commit");
      await waitUntil(() => scene.ran.includes(messageId), { what: "the turn", timeoutMs: 5_000 });
      expect(scene.source.fetched).toBe(0);
    } finally {
      holder.release();
    }
  });
});

function unasked(): never {
  throw new Error("nobody asks for this here");
}

async function waitsForLeaders(db: { query(text: string): Promise<{ rows: unknown[] }> }): Promise<boolean> {
  const waiting = "select 1 from pg_locks where not granted and relation = 'leaders'::regclass";
  // The dispatch leader of the fixture waits as well.
  return (await db.query(waiting)).rows.length > 1;
}
