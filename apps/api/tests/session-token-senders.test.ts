// Who speaks in a message and in a turn: messages of different senders neither merge nor steer each other's turns.

import { findViolations, steering } from "@dari/db";
import { createTestAgent, createTestSession } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { tokenOf } from "./session-token-fixture.ts";
import { complete } from "./turn.ts";
import { claimIn } from "./watching.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi();
  agentId = (await createTestAgent(api.db, api.org.organizationId)).agentId;
});
afterAll(async () => {
  expect(await findViolations(api.db)).toEqual([]);
  await api[Symbol.asyncDispose]();
});

const newSession = () => createTestSession(api.db, api.org.organizationId, agentId);
const saying = (text: string, more: object = {}) => ({ parts: [{ type: "text", text }], ...more });
const send = (sessionId: string, key: string, body: object = saying("hi")) =>
  api.call("POST", `/v1/sessions/${sessionId}/messages/async`, { key, body });

test("an end user's message does not get another one's words by merging", async () => {
  const sessionId = await newSession();
  const [ann, bob] = [
    await tokenOf(api, sessionId, { end_user: { id: "ann" } }),
    await tokenOf(api, sessionId, { end_user: { id: "bob" } }),
  ];
  await send(sessionId, ann);
  const turn = await claimIn(api, sessionId);
  const waiting = (await send(sessionId, bob, saying("from bob"))).json["id"];
  const merging = (await send(sessionId, ann, saying("from ann", { on_busy: "merge" }))).json;
  expect(merging["parts"]).toEqual([{ type: "text", text: "from ann" }]);
  const { json } = await api.call("GET", `/v1/messages/${waiting}`);
  expect([json["status"], json["merged_into"]]).toEqual(["queued", undefined]);
  // Messages of one end user still merge.
  const again = (await send(sessionId, ann, saying("more from ann", { on_busy: "merge" }))).json;
  expect(again["parts"]).toEqual(["from ann", "more from ann"].map((text) => ({ type: "text", text })));
  await complete(api, turn);
});

test("a token does not speak in messages and turns that a key has sent", async () => {
  const sessionId = await newSession();
  const admin = { metadata: { role: "admin" } };
  const key = await tokenOf(api, sessionId);
  await send(sessionId, api.org.apiKey, saying("from the server", admin));
  const turn = await claimIn(api, sessionId);
  await send(sessionId, key, saying("from a page", { on_busy: "steer" }));
  expect(await steering.takeSteeringIfHeld(api.db, turn, 0)).toEqual([]);
  const merging = (await send(sessionId, api.org.apiKey, saying("merge", { ...admin, on_busy: "merge" }))).json;
  expect(merging["parts"]).toEqual([{ type: "text", text: "merge" }]);
  await complete(api, turn);
});

test("a token steers its end user's turn, as the server does", async () => {
  const sessionId = await newSession();
  const endUser = { end_user: { id: "ann" } };
  await send(sessionId, await tokenOf(api, sessionId, endUser));
  const turn = await claimIn(api, sessionId);
  const renewed = await tokenOf(api, sessionId, endUser);
  await send(sessionId, renewed, saying("from the page", { on_busy: "steer" }));
  await send(sessionId, api.org.apiKey, saying("from the server", { on_busy: "steer" }));
  expect(await steering.takeSteeringIfHeld(api.db, turn, 0)).toHaveLength(2);
  await complete(api, turn);
});
