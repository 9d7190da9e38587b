// From events to deliveries: each event once for each endpoint that chose it, in any order of commits. Without
// endpoints, nothing is noted.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { deleteWebhookEndpoint, updateWebhookEndpoint } from "@dari/control/outbound";
import { claimTurn } from "@dari/control/turns";
import { withinTransaction, events, heads, turns, webhookOutbox, withTransaction } from "@dari/db";
import { newId } from "@dari/domain";
import { createTestAgent, createTestMessage, createTestOrganization, createTestSession } from "@dari/testkit";
import { renderEvent } from "../../../src/turns/views/event.ts";
import { openWebhookScene, type WebhookScene } from "./receiver.ts";

let scene: WebhookScene;
beforeEach(async () => {
  scene = await openWebhookScene("");
});
afterEach(async () => scene[Symbol.asyncDispose]());

const url = "https://receiver.example/hooks";
const everything = ["session.created", "user.message", "message.status_changed", "message.cancelled"];

async function cancelledMessage(sessionId: string, organizationId = scene.actor.organizationId): Promise<string> {
  const messageId = await createTestMessage(scene.database.db, organizationId, sessionId);
  await turns.cancelMessageOf(scene.database.db, organizationId, messageId);
  return messageId;
}

const expand = () => webhookOutbox.createDeliveriesFromOutbox(scene.database.db, 1_000);
const notes = () => scene.rows("select * from webhook_outbox order by id");
const deliveries = (endpointId: string) =>
  scene.rows<{ type: string; event_id: string; sequence_number: number; session_id: string; agent_id: string }>(
    "select * from webhook_deliveries where endpoint_id = $1 order by session_id, sequence_number",
    endpointId,
  );

test("an organization without endpoints writes no row, also next to one with endpoints", async () => {
  const { db } = scene.database;
  await cancelledMessage(await scene.session());
  expect(await notes()).toEqual([]);
  await scene.endpoint(url);
  const stranger = await createTestOrganization(db);
  const { agentId } = await createTestAgent(db, stranger.organizationId);
  await cancelledMessage(await createTestSession(db, stranger.organizationId, agentId), stranger.organizationId);
  expect(await notes()).toEqual([]);
});

test("an endpoint gets the events that it chose, with the ids and numbers of the ledger, once", async () => {
  const ends = await scene.endpoint(url);
  const all = await scene.endpoint(url, { eventTypes: everything });
  const sessionId = await scene.session();
  const messageId = await cancelledMessage(sessionId);
  expect((await expand()).deliveries).toBeGreaterThan(1);
  expect(await expand()).toEqual({ notes: 0, deliveries: 0 });
  const [organizationId, limit] = [scene.actor.organizationId, 100];
  const listed = await events.listEvents(scene.database.db, {
    organizationId,
    sessionId,
    afterSequenceNumber: 0,
    limit,
  });
  const ledger = listed.rows.map((row) => renderEvent(sessionId, row, undefined));
  const last = ledger.find(({ type }) => type === "message.cancelled")!;
  expect(await deliveries(ends.id)).toEqual([
    expect.objectContaining({
      type: "message.cancelled",
      event_id: last.id,
      sequence_number: last.sequence_number,
      session_id: sessionId,
      message_id: messageId,
      agent_id: scene.agentId,
      event_created_at: new Date(last.created_at),
      state: "pending",
    }),
  ]);
  const chosen = ledger.filter(({ type }) => everything.includes(type));
  expect((await deliveries(all.id)).map((one) => [one.event_id, one.type])).toEqual(
    chosen.map(({ id, type }) => [id, type]),
  );
  expect(chosen.length).toBeGreaterThan(4);
});

test("an endpoint that chose tool calls gets one note of each, and no other activity", async () => {
  const { db } = scene.database;
  const { id } = await scene.endpoint(url, { eventTypes: ["tool.call_completed"] });
  const sessionId = await scene.session();
  await createTestMessage(db, scene.actor.organizationId, sessionId);
  const claimant = { workerId: newId("worker"), leaseMs: 600_000, guarantees: {} };
  const claim = await claimTurn(db, { sessionId, dispatchNumber: 1 }, claimant);
  if (claim.outcome !== "claimed") throw new Error(claim.outcome);
  const data = { call_id: "call_1", name: "search" };
  await turns.appendEventsIfHeld(db, claim.turn, [
    { type: "tool.call_requested", data },
    { type: "tool.call_completed", data },
  ]);
  await expand();
  expect(await deliveries(id)).toEqual([
    expect.objectContaining({ type: "tool.call_completed", attempt_id: claim.turn.attemptId, session_id: sessionId }),
  ]);
});

test("an agent's endpoint gets the events of that agent only", async () => {
  const { db } = scene.database;
  const other = await createTestAgent(db, scene.actor.organizationId);
  const { id } = await scene.endpoint(url, { agentId: scene.agentId });
  await cancelledMessage(await createTestSession(db, scene.actor.organizationId, other.agentId));
  await expand();
  expect(await deliveries(id)).toEqual([]);
  await cancelledMessage(await scene.session());
  await expand();
  expect(await deliveries(id)).toHaveLength(1);
});

test("an endpoint gets no events of a time when it did not exist or was disabled", async () => {
  const { control, actor } = scene;
  const sessionId = await scene.session();
  const earlier = await scene.endpoint(url);
  await cancelledMessage(sessionId);
  const late = await scene.endpoint(url);
  await expand();
  expect([await deliveries(earlier.id), await deliveries(late.id)].map((list) => list.length)).toEqual([1, 0]);
  await updateWebhookEndpoint(control, actor, late.id, { status: "disabled" });
  await deleteWebhookEndpoint(control, actor, earlier.id);
  await cancelledMessage(sessionId);
  expect(await notes()).toEqual([]);
  await updateWebhookEndpoint(control, actor, late.id, { status: "enabled" });
  await cancelledMessage(sessionId);
  await expand();
  expect(await deliveries(late.id)).toHaveLength(1);
});

test("a session's events that commit late are not skipped by those that were expanded earlier", async () => {
  const { db } = scene.database;
  const { id } = await scene.endpoint(url, { eventTypes: ["user.message"] });
  const [slow, fast] = [await scene.session(), await scene.session()];
  const { promise: mayCommit, resolve: commit } = Promise.withResolvers<void>();
  const { promise: written, resolve: hasWritten } = Promise.withResolvers<void>();
  const holding = withTransaction(db, async (tx) => {
    await createTestMessage(withinTransaction(db, tx), scene.actor.organizationId, slow);
    hasWritten();
    await mayCommit;
  });
  await written;
  await createTestMessage(db, scene.actor.organizationId, fast);
  await expand();
  expect((await deliveries(id)).map((one) => one.session_id)).toEqual([fast]);
  commit();
  await holding;
  await expand();
  expect((await deliveries(id)).map((one) => one.session_id).sort()).toEqual([slow, fast].sort());
});

test("events that are rolled back are not delivered", async () => {
  const { db } = scene.database;
  await scene.endpoint(url, { eventTypes: everything });
  const sessionId = await scene.session();
  await expand();
  const lost = withTransaction(db, async (tx) => {
    await createTestMessage(withinTransaction(db, tx), scene.actor.organizationId, sessionId);
    throw new Error("taken back");
  });
  await expect(lost).rejects.toThrow("taken back");
  expect(await expand()).toEqual({ notes: 0, deliveries: 0 });
});

test("any number of processes expand the same notes to one delivery each", async () => {
  const { id } = await scene.endpoint(url, { eventTypes: everything });
  for (let session = 0; session < 5; session += 1) await cancelledMessage(await scene.session());
  const before = (await notes()).length;
  const rounds = await Promise.all(
    Array.from({ length: 6 }, () => webhookOutbox.createDeliveriesFromOutbox(scene.database.db, 3)),
  );
  let expanded = rounds.reduce((sum, round) => sum + round.notes, 0);
  expanded += (await expand()).notes;
  expect(expanded).toBe(before);
  const ids = (await deliveries(id)).map((one) => one.event_id);
  const told = await scene.rows("select 1 from events where type = any($1)", everything);
  expect(ids).toHaveLength(told.length);
  expect(new Set(ids).size).toBe(ids.length);
});

test("a commit with thousands of events delays no other one: it is delivered in pieces, each event once", async () => {
  const { id } = await scene.endpoint(url, { eventTypes: ["message.cancelled"] });
  const [many, next] = [await scene.session(), await scene.session()];
  await expand();
  await scene.rows(
    `with told as (
      insert into events (session_id, sequence_number, organization_id, type)
        select id, next_event_number + n, organization_id, 'message.cancelled'
        from sessions, generate_series(0, 2499) n where id = $1)
    update sessions set next_event_number = next_event_number + 2500 where id = $1`,
    many,
  );
  await cancelledMessage(next);
  const counts: number[] = [];
  for (;;) {
    const { notes: taken, deliveries: made } = await expand();
    if (taken === 0) break;
    counts.push(made);
  }
  expect(counts).toEqual([1_001, 1_000, 500]);
  expect(await deliveries(id)).toHaveLength(2_501);
});

test("a fork tells of its beginning, not of the conversation that it copies", async () => {
  const { db } = scene.database;
  const { id } = await scene.endpoint(url, { eventTypes: [...everything, "message.completed"] });
  const source = await scene.session();
  await cancelledMessage(source);
  await expand();
  const before = (await deliveries(id)).length;
  const sessionId = newId("session");
  const { organizationId } = scene.actor;
  const messageId = (await scene.rows<{ id: string }>("select id from messages where session_id = $1", source))[0]!.id;
  const from = { sourceId: source, messageId, without: false };
  const outcome = await heads.forkSession(db, { organizationId, sessionId, versionId: undefined, ...from });
  expect(outcome).toBe("forked");
  const copied = await scene.rows("select 1 from events where session_id = $1", sessionId);
  expect(copied.length).toBeGreaterThan(1);
  await expand();
  const more = (await deliveries(id)).filter((one) => one.session_id === sessionId);
  expect(more.map((one) => one.type)).toEqual(["session.created"]);
  expect((await deliveries(id)).length).toBe(before + 1);
});

test("events of a message that replays another one are not delivered", async () => {
  const { db } = scene.database;
  const { organizationId } = scene.actor;
  const { id } = await scene.endpoint(url, { eventTypes: everything });
  const sessionId = await scene.session();
  const messageId = await createTestMessage(db, organizationId, sessionId);
  await db.pool.query("update dari.messages set replay_of = 'msg_1' where id = $1", [messageId]);
  await turns.cancelMessageOf(db, organizationId, messageId);
  await expand();
  expect((await deliveries(id)).map(({ type }) => type)).toEqual(["session.created"]);
  await cancelledMessage(sessionId);
  await expand();
  expect((await deliveries(id)).map(({ type }) => type)).toContain("message.cancelled");
});
