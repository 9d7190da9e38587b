// Messages that steer a running turn, as clients see them. The tests take them and end the turns themselves.

import { createClient } from "@dari/client";
import { routes, validate } from "@dari/contract";
import { findViolations, steering, turnDetails, turns, type ClaimedTurn } from "@dari/db";
import { failure } from "@dari/domain";
import { createTestAgent, createTestMessage, createTestSession, finishTestBuild, waitUntil } from "@dari/testkit";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { agentBundle } from "./bundle.ts";
import { bring } from "./publish.ts";
import { complete, finish } from "./turn.ts";
import { claimIn, watch } from "./watching.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi({ settings: { syncWaitMs: 30_000 } });
  agentId = (await createTestAgent(api.db, api.org.organizationId)).agentId;
});
afterAll(async () => {
  expect(await findViolations(api.db)).toEqual([]);
  await api[Symbol.asyncDispose]();
});

const client = () => createClient({ apiUrl: api.url, apiKey: api.org.apiKey });
const hello = { parts: [{ type: "text" as const, text: "hello" }] };
const newSession = () => createTestSession(api.db, api.org.organizationId, agentId);
const newMessage = (sessionId: string) => createTestMessage(api.db, api.org.organizationId, sessionId);
const take = (turn: ClaimedTurn) => steering.takeSteeringIfHeld(api.db, turn, 0);

function say(words: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { parts: [{ type: "text", text: words }], ...more };
}

function post(sessionId: string, body: unknown, suffix = "/async"): Promise<TestReply> {
  return api.call("POST", `/v1/sessions/${sessionId}/messages${suffix}`, { body });
}

function get(messageId: unknown): Promise<TestReply> {
  return api.call("GET", `/v1/messages/${String(messageId)}`);
}

/** Creates a session whose first message runs. */
async function busy() {
  const sessionId = await newSession();
  const messageId = await newMessage(sessionId);
  return { sessionId, messageId, turn: await claimIn(api, sessionId) };
}

describe("the reply", () => {
  test("a caller that waits learns in which turn, and after which event, its message was delivered", async () => {
    const { sessionId, messageId, turn } = await busy();
    let isTold = false;
    const stop = api.control.notifier.subscribe("cancel", undefined, () => (isTold = true));
    const queued = await post(sessionId, say("one", { on_busy: "steer" }));
    expect([queued.status, queued.json["status"], queued.json["delivered_in"]]).toEqual([202, "queued", undefined]);
    await waitUntil(() => isTold, { what: "the workers to be told" });
    stop();
    expect((await take(turn))?.map(({ id }) => id)).toEqual([queued.json["id"]]);
    const waiting = post(sessionId, say("two", { on_busy: "steer" }), "/sync");
    const ids = await waitUntil(
      async () => {
        const taken = await take(turn);
        return taken?.length === 2 ? taken.map(({ id }) => id) : undefined;
      },
      { what: "the second message to be taken" },
    );
    const events = await api.call("GET", `/v1/sessions/${sessionId}/events`);
    const steered = (events.json.data as Record<string, unknown>[]).filter(({ type }) => type === "message.steered");
    expect(steered).toMatchObject(ids.map((id) => ({ message_id: id, attempt_id: turn.attemptId })));
    expect((await get(ids[0])).json).toMatchObject({
      status: "queued",
      delivered_in: messageId,
      delivered_after: steered[0]?.["sequence_number"],
    });
    await complete(api, turn);
    for (const id of ids) api.control.notifier.notify("message", id);
    const reply = await waiting;
    expect([reply.status, validate(routes.sendMessage.reply, reply.json)]).toEqual([200, []]);
    expect(reply.json).toMatchObject({
      id: ids[1],
      status: "completed",
      output: null,
      delivered_in: messageId,
      delivered_after: steered[1]?.["sequence_number"],
    });
    expect(reply.json).not.toHaveProperty("merged_into");
  });

  test("a caller whose message no turn took gets the record of its own turn", async () => {
    const { sessionId, turn } = await busy();
    const waiting = post(sessionId, say("one", { on_busy: "steer" }), "/sync");
    await waitUntil(
      async () => {
        const list = await api.call("GET", `/v1/sessions/${sessionId}/messages`);
        return (list.json.data as unknown[]).length === 2;
      },
      { what: "the message to be accepted" },
    );
    await complete(api, turn);
    await complete(api, await claimIn(api, sessionId));
    const reply = await waiting;
    expect(reply.json).toMatchObject({ status: "completed", output: { parts: [{}] } });
    expect(reply.json).not.toHaveProperty("delivered_in");
  });

  test("a message that was taken cannot be cancelled, and the refusal names its turn", async () => {
    const { sessionId, messageId, turn } = await busy();
    const sent = await post(sessionId, say("one", { on_busy: "steer" }));
    await take(turn);
    const refused = await api.call("POST", `/v1/messages/${String(sent.json["id"])}/cancel`);
    expect([refused.status, refused.json.code]).toEqual([409, "conflict"]);
    expect(refused.json.detail).toBe(
      `the turn of ${messageId} has taken the message; to stop that turn, cancel ${messageId}`,
    );
    await finish(api, turn, { ending: "cancelled" });
    expect((await get(sent.json["id"])).json).toMatchObject({ status: "cancelled", delivered_in: messageId });
    for (const action of ["fork", "rollback"]) {
      const path = `/v1/sessions/${sessionId}/${action}`;
      const point = await api.call("POST", path, { body: { message_id: sent.json["id"] } });
      expect([point.status, point.json.detail]).toEqual([409, expect.stringContaining(`part of ${messageId};`)]);
    }
  });
});

test("a retry has what steered the failed turn, which no list of failed messages shows by itself", async () => {
  const { sessionId, messageId, turn } = await busy();
  await post(sessionId, say("one", { on_busy: "steer" }));
  await take(turn);
  await finish(api, turn, { ending: "failed", failure: failure("agent_error", "the test says so") });
  const filter = { session_id: sessionId };
  const found = await api.call("POST", "/v1/messages/retry", { body: { filter, dry_run: true } });
  expect(found.json).toMatchObject({ matched: 1, retried: [{ message_id: messageId }] });
  const retried = await api.call("POST", `/v1/messages/${messageId}/retry`, { body: {} });
  expect(retried.json).toMatchObject({ retry_of: messageId, parts: [...hello.parts, { type: "text", text: "one" }] });
  await complete(api, await claimIn(api, sessionId));
});

test("a steering message's stream shows the turn that takes it, to its end, also if it is resumed", async () => {
  const sessionId = await newSession();
  const running = await newMessage(sessionId);
  const turn = await claimIn(api, sessionId);
  const sent = await client().sendMessageAsync(sessionId, { ...hello, on_busy: "steer" });
  const ofTurn = watch((signal) => client().streamMessage(running, {}, { signal }));
  const ofMessage = watch((signal) => client().streamMessage(sent.id, {}, { signal }));
  const event = (number: number) => [{ type: "agent.event", data: { name: "step", data: number }, number }];
  await turns.appendEventsIfHeld(api.db, turn, event(1));
  await take(turn);
  await turns.appendEventsIfHeld(api.db, turn, event(2));
  const { delivered_after: after } = await client().getMessage(sent.id);
  const resumed = watch((signal) => client().streamMessage(sent.id, { after_seq: after! }, { signal }));
  await complete(api, turn);
  await Promise.all([ofTurn.done, ofMessage.done, resumed.done]);
  const shown = (seen: readonly { type: string; message_id?: string }[]): string[] =>
    seen.flatMap(({ type, message_id }) =>
      ["agent.event", "message.steered", "assistant.message_completed", "message.completed"].includes(type)
        ? [`${type} ${message_id === running ? "turn" : "own"}`]
        : [],
    );
  const end = ["message.completed own", "assistant.message_completed turn", "message.completed turn"];
  expect(shown(ofMessage.seen)).toEqual(["message.steered own", "agent.event turn", ...end]);
  expect(shown(resumed.seen)).toEqual(["agent.event turn", ...end]);
  expect(shown(ofTurn.seen)).toEqual([
    "agent.event turn",
    "message.steered own",
    "agent.event turn",
    "assistant.message_completed turn",
    "message.completed turn",
  ]);
});

test("a steering message that a repeated attempt does not take has its own turn in its stream", async () => {
  const sessionId = await newSession();
  await newMessage(sessionId);
  const turn = await claimIn(api, sessionId);
  const sent = await client().sendMessageAsync(sessionId, { ...hello, on_busy: "steer" });
  const watching = watch((signal) => client().streamMessage(sent.id, {}, { signal }));
  await take(turn);
  await turns.finishIfHeld(api.db, turn, { ending: "released" });
  await complete(api, await claimIn(api, sessionId));
  await complete(api, await claimIn(api, sessionId));
  await watching.done;
  expect(watching.seen.at(-1)).toMatchObject({ type: "message.completed", message_id: sent.id });
  expect(watching.seen.filter(({ type }) => type === "message.completed")).toHaveLength(1);
});

test("a message that was delivered in a turn keeps its place in an export", async () => {
  const { id: bundle } = await bring(api, agentBundle());
  const agent = await api.call("POST", "/v1/agents", { body: { source_snapshot_id: bundle } });
  await finishTestBuild(api.db, String(agent.json["version_id"]), "ready");
  const made = await api.call("POST", `/v1/agents/${String(agent.json["id"])}/sessions`);
  const session = String(made.json["id"]);
  await post(session, say("one"));
  const turn = await claimIn(api, session);
  await post(session, say("two", { on_busy: "steer" }));
  // An attempt that was repeated has left an event too.
  await take(turn);
  await finish(api, turn, { ending: "released" });
  await post(session, say("three"));
  const again = await claimIn(api, session);
  await take(again);
  await complete(api, again);
  await complete(api, await claimIn(api, session));

  const response = await fetch(`${api.url}/v1/sessions/${session}/export`, {
    headers: { authorization: `Bearer ${api.org.apiKey}` },
  });
  const body = Buffer.from(await response.arrayBuffer());
  const imported = await api.call("POST", "/v1/sessions/import", { body });
  const id = String(imported.json["id"]);
  const messages = (await api.call("GET", `/v1/sessions/${id}/messages`)).json.data as Record<string, unknown>[];
  expect(messages).toMatchObject([{}, { status: "completed", output: null, delivered_in: messages[0]?.["id"] }, {}]);
  const events = (await api.call("GET", `/v1/sessions/${id}/events`)).json.data as Record<string, unknown>[];
  expect(events.filter(({ type }) => type === "message.steered")).toMatchObject([
    { sequence_number: messages[1]?.["delivered_after"], data: { into: messages[0]?.["id"] } },
  ]);
  const history = await turnDetails.listHistoryBefore(api.db, id, 10, 10, 100_000);
  const text = (words: string) => [{ type: "text", text: words }];
  expect(history.map(({ parts, steered }) => [parts, steered])).toEqual([
    [text("one"), [text("two")]],
    [text("three"), null],
  ]);
});
