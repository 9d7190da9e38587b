// Streams that keep what they have shown of a turn: OpenAI's, and those of chat clients.

import { createStreamLimiter } from "@dari/control/outbound";
import { turns, type ClaimedTurn } from "@dari/db";
import { createTestAgent, createTestMessage, createTestSession } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { complete } from "./turn.ts";
import { claimIn, claimSent } from "./watching.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi();
  const kept = { perProcess: 300_000, perOrganization: 300_000 };
  Object.assign(api.control, { streams: createStreamLimiter(undefined, undefined, undefined, kept) });
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterAll(async () => api[Symbol.asyncDispose]());

/** Records half a megabyte of text. */
async function writeMuch(turn: ClaimedTurn): Promise<void> {
  for (let number = 1; number <= 32; number++) {
    const data = { text: `${number} ${"x".repeat(16_000)}` };
    await turns.appendEventsIfHeld(api.db, turn, [{ type: "assistant.message", data, number }]);
  }
}

async function expectCut(replying: Promise<TestReply>): Promise<void> {
  const { status, text } = await replying;
  expect([status, text]).toEqual([200, expect.stringContaining("the stream was cut before the end of the turn")]);
  // What the stream has kept is given back.
  const release = api.control.streams.keep(api.org.organizationId, 300_000);
  expect(release).toBeDefined();
  release?.();
}

test("a stream that keeps too much is cut; one that keeps nothing is not", async () => {
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const messageId = await createTestMessage(api.db, api.org.organizationId, sessionId);
  const turn = await claimIn(api, sessionId);
  await writeMuch(turn);
  const run = { threadId: "t", runId: "r", messages: [] };
  await expectCut(api.call("GET", `/openai/v1/responses/${messageId.replace("msg", "resp")}?stream=true`));
  await expectCut(api.call("GET", `/v1/sessions/${sessionId}/ai-sdk/stream`));
  await expectCut(api.call("POST", `/v1/sessions/${sessionId}/ag-ui`, { body: run }));
  const own = api.call("GET", `/v1/messages/${messageId}/stream?after_seq=1`);
  await complete(api, turn);
  expect((await own).text).toContain("event: message.completed");
});

test("a chat completion is cut, and its turn goes on", async () => {
  const body = { model: agentId, messages: [{ role: "user", content: "hi" }], stream: true };
  const { turn, replying } = await claimSent(api, () => api.call("POST", "/openai/v1/chat/completions", { body }));
  await writeMuch(turn);
  await expectCut(replying);
  await complete(api, turn);
  expect((await api.call("GET", `/v1/messages/${turn.messageId}`)).json["status"]).toBe("completed");
});
