// Turns arrive whatever the queue does: silent Redis, silent consumer, lost jobs.

import { afterEach, expect, test } from "@jest/globals";
import type { TurnSource } from "@dari/queue";
import { describeWith, waitUntil } from "@dari/testkit";
import { openFeedScene, type FeedScene } from "./feed-fixture.ts";

describeWith("redis", "a worker's feeds", () => {
  const scenes: FeedScene[] = [];
  afterEach(async () => {
    for (const scene of scenes.splice(0)) await scene[Symbol.asyncDispose]();
  });

  async function open(): Promise<FeedScene> {
    const scene = await openFeedScene();
    scenes.push(scene);
    return scene;
  }

  /** How long it took until the message ran, in milliseconds. */
  async function ranAfter(scene: FeedScene, messageId: string): Promise<number> {
    const startedAt = performance.now();
    await waitUntil(() => scene.ran.includes(messageId), { what: "the turn", timeoutMs: 20_000 });
    return performance.now() - startedAt;
  }

  /** The scene's source, which fetches nothing while `isDeaf`, but looks healthy. */
  function deafSource(source: TurnSource, isDeaf: () => boolean): TurnSource & { readonly reopened: number } {
    let reopened = 0;
    let freed = Promise.withResolvers<undefined>();
    return {
      get available() {
        return source.available;
      },
      get fetched() {
        return source.fetched;
      },
      get reopened() {
        return reopened;
      },
      next: () => (isDeaf() ? freed.promise : source.next()),
      async reopen() {
        reopened += 1;
        await source.reopen();
        freed.resolve(undefined);
        freed = Promise.withResolvers();
      },
      hasWaiting: () => source.hasWaiting(),
      close: async () => {
        freed.resolve(undefined);
        await source.close();
      },
    };
  }

  test("while Redis is silent, turns are pulled within two seconds, and then without delay", async () => {
    const scene = await open();
    scene.start();
    const first = await scene.message();
    await scene.deliver(first);
    await ranAfter(scene, first.messageId);
    scene.proxy.blackHole();
    const second = await scene.message();
    // By design 1.5 s; the rest is for a busy machine.
    expect(await ranAfter(scene, second.messageId)).toBeLessThan(3_500);
    const third = await scene.message();
    expect(await ranAfter(scene, third.messageId)).toBeLessThan(1_500);
    scene.proxy.forward();
    await waitUntil(() => scene.source.available && scene.queue.available, { what: "Redis" });
    const before = scene.source.fetched;
    await waitUntil(
      async () => {
        await scene.deliver(await scene.message());
        return scene.source.fetched > before;
      },
      { what: "a job by the queue", timeoutMs: 30_000 },
    );
  });

  test("a consumer that stopped without an error is replaced; its turns do not wait for that", async () => {
    const scene = await open();
    let isDeaf = true;
    const source = deafSource(scene.source, () => isDeaf);
    scene.start({ source, silentMs: 300 });
    const first = await scene.message();
    await scene.deliver(first);
    expect(await ranAfter(scene, first.messageId)).toBeLessThan(4_000);
    await waitUntil(() => scene.gate.taken === 0, { what: "the slot" });
    isDeaf = false;
    const second = await scene.message();
    await scene.deliver(second);
    await waitUntil(() => source.reopened === 1, { what: "new connections" });
    await waitUntil(() => source.fetched > 0, { what: "a job by the new connections" });
    expect(scene.gaveUp).toEqual([]);
  });

  test("a consumer that stays deaf with new connections is given up", async () => {
    const scene = await open();
    const source = deafSource(scene.source, () => true);
    scene.start({ source, silentMs: 200 });
    await waitUntil(
      async () => {
        if (scene.gaveUp.length > 0) return true;
        await scene.deliver(await scene.message());
        return false;
      },
      { what: "the worker to give up", timeoutMs: 30_000 },
    );
    expect(source.reopened).toBeGreaterThanOrEqual(1);
    expect(scene.ran.length).toBeGreaterThan(0);
  });

  test("a worker that was full in between has heard no silence", async () => {
    const scene = await open();
    const source = deafSource(scene.source, () => true);
    let looks = 0;
    const gate = Object.create(scene.gate, {
      free: { get: () => ((looks += 1), scene.gate.free) },
    }) as typeof scene.gate;
    scene.start({ source, gate, silentMs: 300 });
    const lookAgain = async (): Promise<void> => {
      const before = looks;
      await waitUntil(() => looks > before, { what: "the watchdog to look at the slots" });
    };
    await ranAfter(scene, (await scene.message()).messageId);
    await waitUntil(() => scene.gate.taken === 0, { what: "the slot" });
    const places = [scene.gate.tryEnter(), scene.gate.tryEnter()];
    await lookAgain();
    const { reopened } = source;
    places.forEach((place) => place?.leave());
    await ranAfter(scene, (await scene.message()).messageId);
    expect(source.reopened).toBe(reopened);
    expect(scene.gaveUp).toEqual([]);
  });

  test("an idle worker leaves its consumer alone", async () => {
    const scene = await open();
    let looks = 0;
    const source = deafSource(scene.source, () => false);
    const watched = {
      ...source,
      get available() {
        return source.available;
      },
      get fetched() {
        looks += 1;
        return source.fetched;
      },
    };
    scene.start({ source: watched, silentMs: 0 });
    await waitUntil(() => looks > 10, { what: "the watchdog to have looked" });
    expect([source.reopened, scene.gaveUp]).toEqual([0, []]);
  });

  test("a job is settled when its turn is recorded; its slot is free when the turn has left it", async () => {
    const scene = await open();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    scene.start({ run: async (turn) => ({ ...(await scene.run(turn)), released }) });
    await scene.deliver(await scene.message());
    await waitUntil(async () => (await scene.queue.counts())["failed"] === 1, { what: "the settled job" });
    expect(scene.gate.taken).toBe(1);
    release();
    await waitUntil(() => scene.gate.taken === 0, { what: "the slot" });
  });

  test("a turn whose job is lost is pulled after a second, and a queue without jobs stops no worker", async () => {
    const scene = await open();
    scene.start({ silentMs: 100 });
    for (let n = 0; n < 3; n++) {
      const { messageId } = await scene.message();
      expect(await ranAfter(scene, messageId)).toBeLessThan(5_000);
    }
    expect(scene.gaveUp).toEqual([]);
  });
});
