// Recorded answers of a running attempt: they are stored sealed, under its claim, and the next attempt of the message
// gets each for an equal request, once.

import { mkdtemp, rm } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findViolations } from "@dari/control/operations";
import { sweepStore } from "@dari/control/storage";
import { createSealer } from "@dari/control/tenants";
import { claimTurn, countAttempt, finishTurn, loadTurn, type Turn } from "@dari/control/turns";
import { answerRecording, dispatch, heads, recordings, retention } from "@dari/db";
import { failure, recordedAnswerLimits, newId, Redacted, type Notifier } from "@dari/domain";
import type { AnswerRecorder, AnswerEntry, RecordedAnswer } from "@dari/gateway";
import { createLogger } from "@dari/runtime";
import { createTestAgent, createTestDatabase, createTestMessage, createTestOrganization } from "@dari/testkit";
import { createTestSession, testManifest, type TestDatabase } from "@dari/testkit";
import { openTestStore } from "@dari/testkit/store";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { RestoredAttempt } from "../src/turn/attempt.ts";
import { openTurnAnswers, type TurnAnswers } from "../src/turn/recorders/record-answers.ts";
import { createModelRequestRecorder, type ModelRequestRecorder } from "../src/turn/recorders/record-model-requests.ts";

type BlobStore = ReturnType<typeof openTestStore>;
const notifier: Notifier = { notify: () => {}, subscribe: () => () => undefined, close: () => Promise.resolve() };
const log = createLogger({ name: "record-answers", level: "silent" });
const sealer = createSealer(new Redacted(randomBytes(32)));
const retries = { max_attempts: 9, on_worker_lost: true, record_answers: true };

let database: TestDatabase;
let blobs: BlobStore;
let dir: string;
beforeAll(async () => {
  database = await createTestDatabase();
  dir = await mkdtemp(join(tmpdir(), "dari-answers-"));
  blobs = openTestStore(dir);
  await blobs.check();
});
afterAll(async () => {
  expect(await findViolations(database.db)).toEqual([]);
  await blobs.close();
  await database.close();
  await rm(dir, { recursive: true, force: true });
});

interface Running {
  readonly turn: Turn;
  readonly answers: TurnAnswers;
  readonly recorder: AnswerRecorder;
  readonly modelRequests: ModelRequestRecorder;
  readonly lines: string[];
  readonly answerObjects: string[];
}

async function newMessage(manifest: object = { ...testManifest, retries }) {
  const { organizationId } = await createTestOrganization(database.db);
  const { agentId } = await createTestAgent(database.db, organizationId, { manifest: manifest as typeof testManifest });
  const sessionId = await createTestSession(database.db, organizationId, agentId);
  await createTestMessage(database.db, organizationId, sessionId);
  return { organizationId, sessionId };
}

type Place = Awaited<ReturnType<typeof newMessage>>;

/** Claims the message's next attempt. `store` replaces methods of the object store. */
async function claim({ organizationId, sessionId }: Place, number = 1, store: Partial<BlobStore> = {}) {
  if (number > 1) await dispatch.dispatchIfReady(database.db, [{ organizationId, count: 1 }], 60_000);
  const claimant = { workerId: newId("worker"), leaseMs: 600_000, guarantees: {} };
  const claimed = await claimTurn(database.db, { sessionId, dispatchNumber: number }, claimant);
  if (claimed.outcome !== "claimed") throw new Error(claimed.outcome);
  const turn = await loadTurn({ db: database.db, sealer }, claimed.turn);
  await countAttempt(database.db, turn);
  const used = Object.create(blobs, Object.getOwnPropertyDescriptors(store)) as BlobStore;
  const [lines, answerObjects]: [string[], string[]] = [[], []];
  const lease = { signal: new AbortController().signal, release: () => undefined };
  const context = { db: database.db, sealer, log, notifier, workspaces: { blobs: used } };
  const attempt = { context, turn, lease, answerObjects } as unknown as RestoredAttempt;
  const modelRequests = createModelRequestRecorder(attempt);
  const answers = openTurnAnswers({ ...attempt, modelRequests }, { add: (_stream, text) => void lines.push(text) });
  return { turn, answers, modelRequests, lines, answerObjects };
}

async function begin(place: Place, number?: number, store?: Partial<BlobStore>): Promise<Running> {
  const running = await claim(place, number, store);
  return { ...running, recorder: running.answers.findAnswerRecorder()! };
}

const finish = (turn: Turn, ending: "released" | "failed") =>
  finishTurn({ db: database.db, notifier, log }, turn, turn.organizationId, {
    ending,
    ...(ending === "failed" ? { failure: failure("agent_error", "it threw") } : {}),
  });

const answer = (text: string): RecordedAnswer => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: Buffer.from(text),
  model: "gpt-5",
  finishReason: "stop",
});
const end = (entry: AnswerEntry | undefined, text: string) => entry!.end(Promise.resolve(answer(text)));
async function found(entry: AnswerEntry | undefined): Promise<string | undefined> {
  const held = await entry!.find();
  held?.release();
  return held?.answer.body.toString();
}

test("the next attempt gets each answer once, in order, whole, and the store never has its text", async () => {
  const place = await newMessage();
  const { turn, answers, recorder, answerObjects } = await begin(place);
  const entries = [recorder.begin("a"), recorder.begin("a"), recorder.begin("b")];
  expect(await Promise.all(entries.map(found))).toEqual([undefined, undefined, undefined]);
  await Promise.all(entries.map((entry, at) => end(entry, `the answer ${at}`)));
  expect(answerObjects).toHaveLength(3);
  for (const key of answerObjects) {
    expect(key).toMatch(new RegExp(`^${place.organizationId}/answers/`));
    expect((await blobs.read(key)).toString("latin1")).not.toContain("the answer");
  }
  await answers.end(false);
  expect(answers.findAnswerRecorder()).toBeUndefined();
  await finish(turn, "released");

  const next = await begin(place, 2);
  const again = ["a", "a", "b", "a", "c"].map((digest) => next.recorder.begin(digest));
  expect(await again[0]!.find()).toMatchObject({ answer: answer("the answer 0") });
  expect(await Promise.all(again.slice(1).map(found))).toEqual(["the answer 1", "the answer 2", undefined, undefined]);
  expect(next.lines).toEqual([]);
  await finish(next.turn, "failed");
});

test("an organization that never records wins over the manifest, from the next claim on", async () => {
  const place = await newMessage();
  const { turn, recorder, answers, lines } = await begin(place);
  await answerRecording.putAnswerRecordingIfThere(database.db, place.organizationId, "never");
  await end(recorder.begin("a"), "the answer");
  expect(lines).toEqual([]);
  await answers.end(false);
  await finish(turn, "released");

  const next = await begin(place, 2);
  expect(next.recorder).toBeUndefined();
  expect(next.lines).toEqual([expect.stringContaining("the organization does not allow it")]);
  await finish(next.turn, "released");
  await answerRecording.putAnswerRecordingIfThere(database.db, place.organizationId, "allowed");
  const last = await begin(place, 3);
  expect(await found(last.recorder.begin("a"))).toBe("the answer");
  await finish(last.turn, "failed");

  const plain = await begin(await newMessage(testManifest));
  expect([plain.recorder, plain.lines]).toEqual([undefined, []]);
  await finish(plain.turn, "failed");
});

test("the tokens of a request are stored before its answer can be found", async () => {
  const place = await newMessage();
  const { turn, recorder, modelRequests } = await begin(place);
  const entry = recorder.begin("a");
  const counts = { input: 10, cachedInput: null, cacheWrite: null, output: 20, reasoning: null };
  const rest = { status: 200, model: "gpt-5", finishReason: "stop", isComplete: true, unread: null, durationMs: 1 };
  const result = Promise.resolve({ ...counts, ...rest, isRecorded: false });
  modelRequests.add({ host: "api.openai.com", format: "openai-chat", result });
  await end(entry, "the answer");
  const { rows } = await database.db.pool.query(
    "select input_tokens::int as input, output_tokens::int as output from dari.model_requests where message_id = $1",
    [turn.messageId],
  );
  expect(rows).toEqual([{ input: 10, output: 20 }]);
  await finish(turn, "failed");
});

test("a request that failed gives its number to the next one with its digest", async () => {
  const place = await newMessage();
  const { turn, recorder } = await begin(place);
  const failed = recorder.begin("a");
  const unrecorded = recorder.begin("a");
  await failed!.end(Promise.resolve("failed"));
  await unrecorded!.end(Promise.resolve("unrecorded"));
  await end(recorder.begin("a"), "first");
  await end(recorder.begin("a"), "third");
  await finish(turn, "released");
  const next = await begin(place, 2);
  const again = ["a", "a", "a"].map((digest) => next.recorder.begin(digest));
  expect(await Promise.all(again.map(found))).toEqual(["first", undefined, "third"]);
  await finish(next.turn, "failed");
});

test("the first request without a recorded answer says so, once", async () => {
  const place = await newMessage();
  const { turn, recorder } = await begin(place);
  await end(recorder.begin("a"), "one");
  await finish(turn, "released");
  const { recorder: next, lines, turn: last } = await begin(place, 2);
  expect(await Promise.all(["x", "y"].map((digest) => found(next.begin(digest))))).toEqual([undefined, undefined]);
  expect(lines).toEqual(["no answer is recorded for a request to a model; 1 recorded ones are not used yet\n"]);
  await finish(last, "failed");
});

test.each<[title: string, damage: (key: string, other: string) => Promise<unknown>]>([
  ["missing", (key) => blobs.delete([key])],
  [
    "damaged",
    async (key) => blobs.put(key, Buffer.concat([(await blobs.read(key)).subarray(0, -1), Buffer.from("x")])),
  ],
  ["longer", async (key) => blobs.put(key, Buffer.concat([await blobs.read(key), Buffer.alloc(1_000_000)]))],
  ["that of another request", async (key, other) => blobs.put(key, await blobs.read(other))],
  ["empty", (key) => blobs.put(key, Buffer.alloc(0))],
])("an object that is %s is not served, and its model is asked", async (_title, damage) => {
  const place = await newMessage();
  const { turn, recorder, answerObjects } = await begin(place);
  await end(recorder.begin("a"), "one");
  await end(recorder.begin("b"), "two");
  await damage(answerObjects[0]!, answerObjects[1]!);
  await finish(turn, "released");
  const next = await begin(place, 2);
  const entry = next.recorder.begin("a");
  expect(await found(entry)).toBeUndefined();
  expect(next.lines).toEqual(["a recorded answer of a model cannot be read; the model is asked again\n"]);
  await end(entry, "another");
  await finish(next.turn, "released");
  const last = await begin(place, 3);
  expect(await Promise.all(["a", "b"].map((digest) => found(last.recorder.begin(digest))))).toEqual(["another", "two"]);
  await finish(last.turn, "failed");
});

test("an object of another organization's message cannot be opened under a row of one's own", async () => {
  const [mine, theirs] = [await newMessage(), await newMessage()];
  const runs = [await begin(mine), await begin(theirs)];
  for (const { recorder } of runs) await end(recorder.begin("a"), "whose?");
  await database.db.pool.query("update dari.recorded_answers set object_key = $1 where session_id = $2", [
    runs[1]!.answerObjects[0],
    mine.sessionId,
  ]);
  await Promise.all(runs.map(({ turn }) => finish(turn, "released")));
  const [next, other] = [await begin(mine, 2), await begin(theirs, 2)];
  expect(await found(next.recorder.begin("a"))).toBeUndefined();
  expect(await found(other.recorder.begin("a"))).toBe("whose?");
  await Promise.all([next, other].map(({ turn }) => finish(turn, "failed")));
});

test("what is not recorded is said once", async () => {
  const place = await newMessage();
  const { recorder, lines, turn } = await begin(place);
  for (let at = 0; at < 2; at++) expect(recorder.begin(undefined)).toBeUndefined();
  for (let at = 0; at < recordedAnswerLimits.rowsPerMessage; at++) expect(recorder.begin("a")).toBeDefined();
  for (let at = 0; at < 2; at++) expect(recorder.begin("b")).toBeUndefined();
  const why = "not every answer of a model is recorded";
  expect(lines).toEqual([
    `${why}: a request is larger than can be held\n`,
    `${why}: limit reached: 1000 answers or 64 MiB of a message\n`,
  ]);
  await finish(turn, "failed");
});

test("a manifest that does not ask for it has no recorder", async () => {
  const place = await newMessage({ ...testManifest, retries: { max_attempts: 1, on_worker_lost: true } });
  const { answers, turn } = await claim(place);
  expect(answers.findAnswerRecorder()).toBeUndefined();
  await answers.end(false);
  await finish(turn, "failed");
});

test("a store that fails loses the answer, and no request waits for it", async () => {
  const place = await newMessage();
  const put = () => Promise.reject(new Error("the store is away"));
  const { recorder, turn } = await begin(place, 1, { put } as Partial<BlobStore>);
  await end(recorder.begin("a"), "one");
  await recorder.settled();
  await finish(turn, "released");
  const next = await begin(place, 2);
  expect(next.turn.recordedAnswers).toEqual([]);
  await finish(next.turn, "failed");
});

test("a request waits for answers that are being stored", async () => {
  const place = await newMessage();
  const gate = Promise.withResolvers<void>();
  const put: BlobStore["put"] = async (...given) => {
    await gate.promise;
    return blobs.put(...given);
  };
  const { recorder, turn } = await begin(place, 1, { put });
  const stored = end(recorder.begin("a"), "one");
  let isSettled = false;
  const settled = recorder.settled().then(() => (isSettled = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(isSettled).toBe(false);
  gate.resolve();
  await Promise.all([stored, settled]);
  await finish(turn, "failed");
});

test("what a turn and a worker hold is bounded, and answers that do not fit go to the model", async () => {
  const place = await newMessage();
  const { recorder, turn } = await begin(place);
  await end(recorder.begin("a"), "one");
  await finish(turn, "released");
  const next = await begin(place, 2);
  const { room } = next.recorder;
  expect(room.take(recordedAnswerLimits.heldBytesPerTurn)).toBe(true);
  expect(room.take(1)).toBe(false);
  expect(await found(next.recorder.begin("a"))).toBeUndefined();
  room.give(recordedAnswerLimits.heldBytesPerTurn);
  await finish(next.turn, "failed");
});

test("a superseded attempt leaves no object, and the sweep takes objects of ended messages", async () => {
  const place = await newMessage();
  const { turn, recorder, answerObjects } = await begin(place);
  await end(recorder.begin("a"), "one");
  await finish(turn, "released");
  const late = recorder.begin("b");
  await end(late, "late");
  expect(await blobs.head(answerObjects[1]!)).toBeUndefined();
  const next = await begin(place, 2);
  const now = { youngMs: -60_000, afterMs: 0, rememberMs: 60_000, perPass: 1_000 };
  const sweep = async () => {
    for (let pass = 0; pass < 3; pass++) await sweepStore({ db: database.db, blobs, log }, now);
  };
  await sweep();
  expect(await blobs.head(answerObjects[0]!)).toBeDefined();
  await finish(next.turn, "failed");
  await sweep();
  expect(await blobs.head(answerObjects[0]!)).toBeUndefined();
});

test("a replay gets its original's answers and says what differs; a sweep leaves them until they expire", async () => {
  const recorded = { ...retries, record_answers: { keep_days: 1 } };
  const place = await newMessage({ ...testManifest, retries: recorded });
  const { turn, recorder, answerObjects } = await begin(place);
  await end(recorder.begin("a"), "one");
  await end(recorder.begin("b"), "two");
  await finishTurn({ db: database.db, notifier, log }, turn, turn.organizationId, {
    ending: "completed",
    output: { parts: [] },
    snapshot: {
      ...{ id: newId("snapshot"), parentId: null, objectKey: null, isFull: true, deltaDepth: 0, treeHash: "empty" },
      ...{ sizeBytes: 0, files: 0, totalBytes: 0 },
    },
  });
  const { organizationId, sessionId: sourceId } = place;
  const sessionId = newId("session");
  const fork = { organizationId, sourceId, messageId: turn.messageId, without: true, sessionId, versionId: undefined };
  expect(await heads.forkSession(database.db, fork)).toBe("forked");
  const messageId = await createTestMessage(database.db, organizationId, sessionId);
  await recordings.markReplay(database.db, { sessionId, messageId, of: turn.messageId, asksModels: true });

  const replay = await begin({ organizationId, sessionId });
  const asked = ["b", "x", "y"].map((digest) => replay.recorder.begin(digest));
  expect(await found(asked[0])).toBe("two");
  expect([await found(asked[1]), await found(asked[2])]).toEqual([undefined, undefined]);
  await end(asked[1], "live");
  await replay.answers.end(true);
  expect(replay.lines).toEqual([
    "no answer is recorded for request 2 of this replay; 1 recorded ones are not used yet\n",
    `this was a replay of ${turn.messageId}: it made 3 requests to models, and 1 of 2 recorded answers were used\n`,
  ]);
  await finish(replay.turn, "failed");

  const now = { youngMs: -60_000, afterMs: 0, rememberMs: 60_000, perPass: 1_000 };
  const sweep = async () => {
    for (let pass = 0; pass < 3; pass++) await sweepStore({ db: database.db, blobs, log }, now);
  };
  await sweep();
  expect(await Promise.all(answerObjects.map((key) => blobs.head(key)))).toEqual([
    expect.anything(),
    expect.anything(),
  ]);
  expect(await blobs.head(replay.answerObjects[0]!)).toBeUndefined();
  await database.db.pool.query("update dari.recordings set expires_at = now() where message_id = $1", [turn.messageId]);
  expect(await retention.expireRecordings(database.db, 10)).toBe(1);
  await sweep();
  expect(await Promise.all(answerObjects.map((key) => blobs.head(key)))).toEqual([undefined, undefined]);
});
