// Periodic checks find the same violations as checks of all rows, and cost as much as what changed.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { unguardEdgesSql } from "@dari/testkit";
import { sql } from "kysely";
import pg from "pg";
import {
  createInvariantRounds,
  dispatch,
  findViolations,
  invariants,
  messageSteps,
  modelRequests,
  recordedAnswers,
  turns,
  type ModelRequestRow,
  type TurnSnapshot,
} from "../src/index.ts";
import { fillBacklog } from "./backlog-rows.ts";
import { countRowsRead, vacuumAnalyze } from "./rows-read.ts";
import { emptySnapshot, openScene, type Scene } from "./scene.ts";

const modelRequest: ModelRequestRow = {
  ...{ ordinal: 1, requests: 1, host: "api.openai.com", format: "openai-chat", model: "gpt-5", status: 200 },
  ...{ input: 10, cachedInput: null, cacheWrite: null, output: 1, reasoning: null, finishReason: "stop" },
  ...{ durationMs: 1, isComplete: true, unread: null, isRecorded: false },
};

let scene: Scene;
let session: string;
beforeAll(async () => {
  scene = await openScene();
  session = await scene.session();
  let head: string | null = null;
  for (const ending of ["completed", "retry", "completed", "failed"] as const) {
    await scene.send(session);
    const turn = await scene.claim(session);
    await turns.markCalledIfHeld(scene.db, turn);
    await modelRequests.recordModelRequestsIfHeld(scene.db, turn, [modelRequest]);
    const snapshot: TurnSnapshot | undefined = ending === "completed" ? emptySnapshot(head) : undefined;
    const failure = ending === "completed" ? undefined : ({ code: "agent_error", message: "it threw" } as const);
    await turns.finishIfHeld(scene.db, turn, { ending, failure, snapshot, output: { parts: [] } });
    head = snapshot?.id ?? head;
    await dispatch.makeDueRetriesReady(scene.db, 10);
  }
});
afterAll(() => scene.close());

/** Creates a session whose only message waits for an input. */
async function waitingSession(): Promise<string> {
  const waiting = await scene.session();
  await scene.send(waiting);
  const turn = await scene.claim(waiting);
  const asked = { key: "approve", schema: {}, prompt: undefined, waitSeconds: 600, placed: [] };
  await messageSteps.recordStepIfHeld(scene.db, turn, { name: "pay", ordinal: 1, json: "1" });
  const answer = { digest: "d", ordinal: 1, objectKey: "k", sizeBytes: 1 };
  await recordedAnswers.recordAnswerIfHeld(scene.db, turn, answer, { rows: 9, bytes: 9 });
  await turns.finishIfHeld(scene.db, turn, { ending: "suspended", asked, snapshot: emptySnapshot(null) });
  return waiting;
}

const namesOf = (found: readonly { invariant: string }[]): string[] => found.map((one) => one.invariant);

test("nothing is found where nothing is wrong", async () => {
  expect(await findViolations(scene.db)).toEqual([]);
  expect(await createInvariantRounds(scene.db).next()).toEqual([]);
});

test.each([
  [
    "finish_order_is_sequence_order",
    "update messages set completed_at = completed_at - interval '1 hour'",
    "completed_at is not null and sequence_number = 2",
  ],
  ["one_terminal_event", "delete from events", "type = 'message.completed'"],
  ["event_numbers_without_gap", "delete from events", "sequence_number = 2"],
  ["attempts_within_limit", "update messages set attempts = 0", "sequence_number = 1"],
  ["pending_counts_open_messages", "update sessions set pending = pending + 1", "pending > 0"],
  ["open_attempt_is_the_claim", "update attempts set ended_at = null, outcome = null", "fence = 1"],
  ["attempt_begins_in_its_turn", "update attempts set claimed_at = claimed_at - interval '1 hour'", "fence > 1"],
  ["failed_message_failed_last", "update attempts set outcome = 'released'", "outcome = 'failed'"],
  ["completed_message_has_one_snapshot", "update snapshots set kind = 'side'", "kind = 'turn'"],
  ["tenants_do_not_mix", "update events set organization_id = 'org_x'", "sequence_number = 1"],
  ["attempt_sums_its_model_requests", "update model_requests set cost_microusd = 1", "ordinal = 1"],
  ["attempt_sums_its_model_requests", "update model_requests set created_at = 'infinity'", "ordinal = 1"],
  ["attempt_sums_its_model_requests", "delete from model_requests", "ordinal = 1"],
  [
    "nothing_is_overdue",
    "update sessions set schedule = 'retry_wait', ready_at = now() - interval '1 hour'",
    "schedule = 'ready'",
  ],
])("%s is found by both", async (name, change, where) => {
  const column = change.includes("sessions") ? "id" : "session_id";
  const undone = new Error("undone");
  const work = scene.db.kysely.transaction().execute(async (tx) => {
    await sql.raw(unguardEdgesSql).execute(tx);
    await sql.raw(`${change} where ${where} and ${column} = '${session}'`).execute(tx);
    const inside = { ...scene.db, kysely: tx };
    expect(namesOf(await findViolations(inside))).toContain(name);
    expect(namesOf(await createInvariantRounds(inside).next())).toContain(name);
    throw undone;
  });
  await expect(work).rejects.toBe(undone);
});

test.each([
  ["waiting_session_has_its_input", "update message_inputs set state = 'cancelled', ended_at = now()"],
  ["waiting_session_has_its_input", "update messages set state = 'queued'"],
  ["suspended_once_per_input", "update attempts set outcome = 'released'"],
  ["raised_as_answered", "update messages set raised_limits = '{}'"],
  ["raised_as_answered", "update message_inputs set budget = '{}'"],
  ["resumed_on_what_it_left", "update messages set resume_snapshot_id = null"],
  ["resumed_on_what_it_left", "update snapshots set parent_id = 'snap_other'"],
  ["nothing_is_overdue", "update message_inputs set expires_at = now() - interval '1 hour'"],
  ["tenants_do_not_mix", "update message_inputs set organization_id = 'org_x'"],
  ["record_belongs_to_its_open_message", "update messages set has_steps = false"],
  ["record_belongs_to_its_open_message", "update message_steps set message_id = 'msg_other'"],
  ["record_belongs_to_its_open_message", "update messages set has_recorded_answers = false"],
  ["record_belongs_to_its_open_message", "update recorded_answers set message_id = 'msg_other'"],
])("%s is found where a message waits: %s", async (name, change) => {
  const waiting = await waitingSession();
  const undone = new Error("undone");
  const work = scene.db.kysely.transaction().execute(async (tx) => {
    await sql.raw(`${change} where session_id = '${waiting}'`).execute(tx);
    const inside = { ...scene.db, kysely: tx };
    expect(namesOf(await findViolations(inside))).toContain(name);
    expect(namesOf(await createInvariantRounds(inside).next())).toContain(name);
    throw undone;
  });
  await expect(work).rejects.toBe(undone);
});

test("rows of sessions that a round leaves out are not compared with it", async () => {
  const waiting = await waitingSession();
  await sql`insert into message_values (session_id, id, organization_id, message_id, object_key, media_type, size_bytes,
      sha256) select session_id, 'val_1', organization_id, id, 'k', 'text/plain', 1, 'x' from messages
    where session_id = ${waiting}`.execute(scene.db.kysely);
  expect(await findViolations(scene.db)).toEqual([]);
  const undone = new Error("undone");
  const work = scene.db.kysely.transaction().execute(async (tx) => {
    // A round leaves out sessions with so many events.
    await sql`update sessions set next_event_number = 60000 where id = ${waiting}`.execute(tx);
    expect(await createInvariantRounds({ ...scene.db, kysely: tx }).next()).toEqual([]);
    throw undone;
  });
  await expect(work).rejects.toBe(undone);
});

/** Returns the rows that one round reads with this many waiting sessions, with or without statistics. */
async function rowsRead(prefix: string, sessions: number, isAnalyzed: boolean): Promise<number> {
  const place = await openScene();
  try {
    await fillBacklog(place.db, prefix, { organizations: 1, sessions });
    if (isAnalyzed) await vacuumAnalyze(place.url);
    return await countRowsRead(place.db, (bound) => createInvariantRounds(bound).next());
  } finally {
    await place.close();
  }
}

test("a round costs what it reads, not what exists", async () => {
  const [few, many] = [await rowsRead("y", 2_000, true), await rowsRead("z", 30_000, true)];
  expect(few).toBeGreaterThan(1_000);
  expect(many / few).toBeLessThan(1.5);
}, 60_000);

test("a round over tables that grew since they were analyzed reads none of them for each session", async () => {
  expect(await rowsRead("x", 20_000, false)).toBeLessThan(10 * 20_000);
}, 60_000);

test("a round that fails does not keep the next one from the sessions behind its own", async () => {
  const place = await openScene();
  const owner = new pg.Client({ connectionString: place.url });
  try {
    await owner.connect();
    await fillBacklog(place.db, "w", { organizations: 1, sessions: 600 });
    await owner.query("update dari.sessions set pending = 2 where id = 'sess_w00000010000600'");
    const rounds = createInvariantRounds(place.db);
    await owner.query("alter table dari.attempts rename to away");
    await expect(rounds.next()).rejects.toThrow(/attempts/);
    await owner.query("alter table dari.away rename to attempts");
    expect(namesOf(await rounds.next())).toContain("pending_counts_open_messages");
  } finally {
    await owner.end();
    await place.close();
  }
});

test("each invariant has a unique name", () => {
  expect(new Set(invariants.map((one) => one.name)).size).toBe(invariants.length);
});
