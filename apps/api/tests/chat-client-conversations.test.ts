// Chat clients whose conversation is not quite the session's: merged, steered and refused messages, expired keys.

import { steering, type ClaimedTurn } from "@dari/db";
import { createTestAgent, createTestSession } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { askIn, chunksIn, decision, typesIn } from "./chat-client-turns.ts";
import { complete } from "./turn.ts";
import { claimIn, watchRaw } from "./watching.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi();
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterAll(async () => api[Symbol.asyncDispose]());

const createSession = () => createTestSession(api.db, api.org.organizationId, agentId);
const post = (sessionId: string, rest: string, body: object) =>
  api.call("POST", `/v1/sessions/${sessionId}/${rest}`, { body });

let lastId = 0;
const say = (text: string, id = `ui-${(lastId += 1)}`) => ({ id, role: "user", parts: [{ type: "text", text }] });
const answerOf = (messageId: string, ...parts: object[]) => ({
  id: messageId.replace("msg", "resp"),
  role: "assistant",
  parts,
});

/** Runs the turn that a request starts. */
async function withTurn(sessionId: string, replying: Promise<TestReply>, run: (turn: ClaimedTurn) => Promise<unknown>) {
  const turn = await claimIn(api, sessionId);
  await run(turn);
  const reply = await replying;
  expect([reply.status, reply.text]).toEqual([200, expect.any(String)]);
  return { messageId: turn.messageId, reply };
}

const done = (turn: ClaimedTurn) => complete(api, turn);
const talk = (sessionId: string, body: object) => withTurn(sessionId, post(sessionId, "ai-sdk", body), done);

/** Sends a message that others can merge with or that steers, and returns its id. */
async function sendAsync(sessionId: string, text: string, onBusy: string): Promise<string> {
  const body = { parts: [{ type: "text", text }], on_busy: onBusy };
  return String((await post(sessionId, "messages/async", body)).json["id"]);
}

const texts = async (sessionId: string) => {
  const { data } = (await api.call("GET", `/v1/sessions/${sessionId}/messages`)).json;
  return (data as { parts: { text: string }[]; rolled_back?: true }[])
    .filter((message) => message.rolled_back === undefined)
    .map(({ parts }) => parts[0]?.text);
};

const refusal = expect.stringContaining("load the messages again");

async function expectRefused(sessionId: string, body: object): Promise<void> {
  const { status, json } = await post(sessionId, "ai-sdk", body);
  expect([status, json.detail]).toEqual([409, refusal]);
}

test("an edit is refused if the client has a message that the session does not have in this place", async () => {
  const sessionId = await createSession();
  const { messageId: one } = await talk(sessionId, { message: say("one") });
  for (const text of ["two", "three"]) await talk(sessionId, { message: say(text) });
  const edited = say("drei");
  await expectRefused(sessionId, { messages: [answerOf(one), say("two"), edited], messageId: edited.id });
  const again = { trigger: "regenerate-message", messages: [answerOf(one), say("two"), say("two")] };
  await expectRefused(sessionId, again);
  expect(await texts(sessionId)).toEqual(["one", "two", "three"]);
});

test("an edit after the answer of a merged message is refused, because it can mean either message", async () => {
  const sessionId = await createSession();
  let merged = "";
  await withTurn(sessionId, post(sessionId, "ai-sdk", { message: say("one") }), async (turn) => {
    merged = await sendAsync(sessionId, "two", "enqueue");
    await sendAsync(sessionId, "three", "merge");
    await done(turn);
  });
  await done(await claimIn(api, sessionId));
  const { messageId } = await talk(sessionId, { message: say("four") });
  const edited = say("vier");
  await expectRefused(sessionId, { messages: [answerOf(merged), edited], messageId: edited.id });
  expect((await texts(sessionId)).at(-1)).toBe("four");
  await talk(sessionId, { messages: [answerOf(merged), say("vier", messageId)], messageId });
  expect((await texts(sessionId)).at(-1)).toBe("vier");
});

test("a message after a steered turn is replaced if the client has the message that steered", async () => {
  const sessionId = await createSession();
  let steered = "";
  const { messageId: one } = await withTurn(
    sessionId,
    post(sessionId, "ai-sdk", { message: say("one") }),
    async (turn) => {
      steered = await sendAsync(sessionId, "left", "steer");
      await steering.takeSteeringIfHeld(api.db, turn, 0);
      await done(turn);
    },
  );
  await talk(sessionId, { message: say("two") });
  const edited = say("zwei");
  const edit = (...messages: object[]) => ({ messages: [answerOf(one), ...messages, edited], messageId: edited.id });
  // The edited message may be the one that steered.
  await expectRefused(sessionId, edit());
  await talk(sessionId, edit(say("left", steered)));
  expect(await texts(sessionId)).toEqual(["one", "left", "zwei"]);
});

test("an answer continues the stream of the message that steered, and answers the turn that asks", async () => {
  const sessionId = await createSession();
  let steered = "";
  const { messageId } = await withTurn(sessionId, post(sessionId, "ai-sdk", { message: say("one") }), async (turn) => {
    steered = await sendAsync(sessionId, "left", "steer");
    await steering.takeSteeringIfHeld(api.db, turn, 0);
    await askIn(api, turn);
  });
  const approval = { id: `${messageId}:refund`, approved: true };
  const message = answerOf(steered, { type: "dynamic-tool", state: "approval-responded", approval });
  const { reply } = await withTurn(sessionId, post(sessionId, "ai-sdk", { message }), done);
  const chunks = chunksIn(reply);
  expect(chunks.slice(0, 2)).toMatchObject([
    { type: "start", messageId: message.id },
    { type: "tool-output-available", toolCallId: approval.id },
  ]);
  expect(typesIn(reply)).toEqual(expect.arrayContaining(["text-delta", "finish"]));
});

test("a message that a waiting turn has handed back streams its own turn after a reload", async () => {
  const sessionId = await createSession();
  const { messageId } = await withTurn(sessionId, post(sessionId, "ai-sdk", { message: say("one") }), async (turn) => {
    await sendAsync(sessionId, "left", "steer");
    await steering.takeSteeringIfHeld(api.db, turn, 0);
    await askIn(api, turn, "refund", decision, 0);
  });
  const answer = { key: "refund", value: { approved: true } };
  expect((await api.call("POST", `/v1/messages/${messageId}/inputs`, { body: answer })).status).toBe(202);
  await done(await claimIn(api, sessionId));
  const own = await claimIn(api, sessionId);
  const reloaded = await watchRaw(api, `/v1/sessions/${sessionId}/ai-sdk/stream`);
  await done(own);
  await reloaded.done;
  expect(chunksIn({ text: reloaded.text() }).at(-1)).toMatchObject({ messageMetadata: { status: "completed" } });
});

test("AG-UI: abandoning an interrupt does not send its message again after its key has expired", async () => {
  const sessionId = await createSession();
  const run = { threadId: "t", runId: "r", messages: [{ id: "u1", role: "user", content: "refund" }] };
  // This message has no key, as if it had expired.
  const messageId = await sendAsync(sessionId, "refund", "enqueue");
  await askIn(api, await claimIn(api, sessionId));
  const resume = [{ interruptId: `${messageId}:refund`, status: "cancelled" }];
  const stopped = await post(sessionId, "ag-ui", { ...run, resume });
  expect(chunksIn(stopped).at(-1)).toMatchObject({ outcome: { type: "cancelled" } });
  expect(await texts(sessionId)).toEqual(["refund"]);
});
