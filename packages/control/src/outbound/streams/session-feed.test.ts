// What a feed passes to its listeners, in which order, and what it forgets.

import type { EventRecord } from "@dari/contract";
import type { PositionedPreview } from "@dari/control/context";
import type { Preview } from "@dari/domain";
import { expect, test } from "@jest/globals";
import { createSessionFeed } from "./session-feed.ts";

function event(sequenceNumber: number, type: string, attemptId?: string): EventRecord {
  return {
    id: `evt_${sequenceNumber}`,
    sequence_number: sequenceNumber,
    type,
    session_id: "sess_1",
    ...(attemptId === undefined ? {} : { attempt_id: attemptId }),
    created_at: "2026-01-01T00:00:00.000Z",
    data: {},
  } as unknown as EventRecord;
}

function delta(text: string, attemptId = "att_1"): Preview {
  return { type: "assistant.text_delta", messageId: "msg_1", attemptId, data: { text } };
}

type Page = { events: readonly EventRecord[]; more: boolean };

/** Starts a feed whose queries end when the test says so. */
function startFeed() {
  const readings: { after: number; end: (events: readonly EventRecord[]) => void; fail: () => void }[] = [];
  const feed = createSessionFeed(0, (after) => {
    const { promise, resolve, reject } = Promise.withResolvers<Page>();
    const end = (events: readonly EventRecord[]) => resolve({ events, more: false });
    readings.push({ after, end, fail: () => reject(new Error("away")) });
    return promise;
  });
  const shown: PositionedPreview[] = [];
  feed.previews.add("", (one) => shown.push(one));
  return { feed, readings, texts: () => shown.map(({ preview }) => preview.data["text"]), shown };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("previews keep their order around the reading that finds their attempt", async () => {
  const { feed, readings, texts, shown } = startFeed();
  feed.takePreview(delta("a"));
  feed.takePreview(delta("b"));
  void feed.look();
  readings[0]?.end([event(1, "attempt.started", "att_1")]);
  await settled();
  // During another query, the attempt becomes known.
  feed.takePreview(delta("c"));
  readings[1]?.end([]);
  await settled();
  feed.takePreview(delta("d"));
  expect(texts()).toEqual(["a", "b", "c", "d"]);
  expect(shown.every(({ afterSequenceNumber }) => afterSequenceNumber === 1)).toBe(true);
});

test("an attempt that began before the feed costs one query", async () => {
  const { feed, readings, texts } = startFeed();
  for (const text of ["a", "b"]) {
    feed.takePreview(delta(text));
    for (const { end } of readings) end([]);
    await settled();
    for (const { end } of readings) end([]);
    await settled();
  }
  expect(texts()).toEqual(["a", "b"]);
  expect(readings).toHaveLength(1);
});

test("an attempt that a failed query did not find is searched again", async () => {
  const { feed, readings, texts } = startFeed();
  feed.takePreview(delta("lost"));
  readings[0]?.fail();
  await settled();
  feed.takePreview(delta("shown"));
  readings[1]?.end([event(1, "attempt.started", "att_1")]);
  await settled();
  expect(texts()).toEqual(["shown"]);
});

test("old events are dropped from memory, and late readers read them from the database", async () => {
  const { feed, readings } = startFeed();
  const looking = feed.look();
  readings[0]?.end([event(1, "session.created"), event(2, "user.message")]);
  await looking;
  expect(feed.recentAfter(0)).toHaveLength(2);
  feed.forget(performance.now() - 60_000);
  expect(feed.recentAfter(0)).toHaveLength(2);
  feed.forget(performance.now() + 1);
  expect(feed.recentAfter(0)).toBeUndefined();
  expect(feed.recentAfter(2)).toEqual([]);
});
