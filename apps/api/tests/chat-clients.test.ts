// Sessions for chat clients: the package `ai`, and AG-UI. The tests run the turns themselves.

import { routes, validate } from "@dari/contract";
import { recordTurnEvents } from "@dari/control/turns";
import type { ClaimedTurn } from "@dari/db";
import { failure, newId } from "@dari/domain";
import { createTestAgent, createTestSession, waitUntil } from "@dari/testkit";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { askIn, chunksIn, decision, typesIn, type Chunk } from "./chat-client-turns.ts";
import { complete, finish } from "./turn.ts";
import { claimIn, preview, watchRaw } from "./watching.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi();
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterAll(async () => api[Symbol.asyncDispose]());

const createSession = () => createTestSession(api.db, api.org.organizationId, agentId);
const pathOf = (sessionId: string, rest = "") => `/v1/sessions/${sessionId}/ai-sdk${rest}`;
const post = (path: string, body: object) => api.call("POST", path, { body });

let lastId = 0;
const say = (text: string, id = `ui-${(lastId += 1)}`) => ({ id, role: "user", parts: [{ type: "text", text }] });

/** Sends a request whose turn this test runs. */
async function withTurn(sessionId: string, path: string, body: object, run: (turn: ClaimedTurn) => Promise<unknown>) {
  const replying = post(path, body);
  const turn = await claimIn(api, sessionId);
  await run(turn);
  const reply = await replying;
  expect([reply.status, reply.text]).toEqual([200, expect.any(String)]);
  return { turn, reply };
}

const done = (turn: ClaimedTurn) => complete(api, turn);

const ask = (turn: ClaimedTurn) => askIn(api, turn);

const texts = async (sessionId: string) => {
  const { data } = (await api.call("GET", `/v1/sessions/${sessionId}/messages`)).json;
  return (data as { parts: { text: string }[]; rolled_back?: true }[])
    .filter((message) => message.rolled_back === undefined)
    .map(({ parts }) => parts[0]?.text);
};

describe("the package ai", () => {
  test("a message is sent once, and streamed as a UI message", async () => {
    const sessionId = await createSession();
    const body = { id: "chat-1", trigger: "submit-message", messages: [say("hello")] };
    const { turn, reply } = await withTurn(sessionId, pathOf(sessionId), body, async (running) => {
      api.previews.send(sessionId, preview(running, "assistant.text_delta", { text: "do", offset: 0 }));
      await done(running);
    });
    expect(reply.headers.get("x-vercel-ai-ui-message-stream")).toBe("v1");
    expect(reply.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(reply.text.trimEnd().endsWith("data: [DONE]")).toBe(true);
    const chunks = chunksIn(reply);
    expect(chunks[0]).toMatchObject({ type: "start", messageId: turn.messageId.replace("msg", "resp") });
    const text = chunks.filter(({ type }) => type === "text-delta").map(({ delta }) => delta);
    expect([text.join(""), chunks.at(-1)?.type]).toEqual(["done", "finish"]);
    const again = await post(pathOf(sessionId), body);
    expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([200, "true"]);
    expect(typesIn(again).at(-1)).toBe("finish");
    expect(await texts(sessionId)).toEqual(["hello"]);
    const other = await post(pathOf(sessionId), { message: say("changed", body.messages[0]?.id) });
    expect([other.status, other.json.code]).toEqual([409, "idempotency_key_reused"]);
  });

  test("files of the request and uploaded ones become parts, and can be sent again", async () => {
    const sessionId = await createSession();
    const inline = { type: "file", mediaType: "text/plain", filename: "a.txt", url: "data:text/plain;base64,aGk=" };
    const message = { ...say("read"), parts: [inline] };
    await withTurn(sessionId, pathOf(sessionId), { message }, done);
    const { messages } = (await api.call("GET", pathOf(sessionId, "/messages"))).json as { messages: Chunk[] };
    const [part] = messages[0]?.["parts"] as Chunk[];
    expect(part).toMatchObject({ type: "file", filename: "a.txt", mediaType: "text/plain" });
    expect((await api.call("GET", String(part?.["url"]))).text).toBe("hi");
    await withTurn(sessionId, pathOf(sessionId), { message: { ...say("again"), parts: [part] } }, done);
    const unknown = { ...part, url: `/v1/files/${newId("file")}/content` };
    const refused = await post(pathOf(sessionId), { message: { ...say("x"), parts: [unknown] } });
    expect(refused.json["errors"]).toEqual([{ path: "message.parts[0].file_id", message: "file not found" }]);
  });

  test("a stream is resumed from its start while the turn runs, and answers 204 otherwise", async () => {
    const sessionId = await createSession();
    const stream = () => api.call("GET", pathOf(sessionId, "/stream"));
    expect([(await stream()).status, (await stream()).text]).toEqual([204, ""]);
    const over = new AbortController();
    const sent = fetch(`${api.url}${pathOf(sessionId)}`, {
      method: "POST",
      headers: { authorization: `Bearer ${api.org.apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ message: say("hello") }),
      signal: over.signal,
    });
    const turn = await claimIn(api, sessionId);
    await (await sent).body?.getReader().read();
    over.abort();
    const call = { call_id: "c1", name: "read", kind: "function", arguments: { path: "/a" } };
    await recordTurnEvents(api.db, turn, [{ type: "tool.call_requested", data: call, number: 1 }] as never);
    const resumed = await watchRaw(api, pathOf(sessionId, "/stream"));
    expect(resumed.response.headers.get("x-vercel-ai-ui-message-stream")).toBe("v1");
    await waitUntil(() => Promise.resolve(resumed.text().includes("tool-input-available") || undefined), {
      what: "the call",
    });
    // The client that sent the message has gone away. Its turn goes on.
    await done(turn);
    await resumed.done;
    expect(typesIn({ text: resumed.text() })).toEqual(expect.arrayContaining(["start", "text-delta", "finish"]));
    expect((await stream()).status).toBe(204);
  });

  test("an approval is asked, survives a reload, and is answered once", async () => {
    const sessionId = await createSession();
    const { turn, reply } = await withTurn(sessionId, pathOf(sessionId), { message: say("refund") }, ask);
    const asked = chunksIn(reply).find(({ type }) => type === "tool-approval-request");
    expect([asked?.["approvalId"], typesIn(reply).at(-1)]).toEqual([`${turn.messageId}:refund`, "finish"]);
    expect((await api.call("GET", pathOf(sessionId, "/stream"))).status).toBe(204);
    const { messages } = (await api.call("GET", pathOf(sessionId, "/messages"))).json as { messages: Chunk[] };
    const [, answer] = messages as unknown as { parts: Chunk[] }[];
    expect(answer?.parts.at(-1)).toMatchObject({
      state: "approval-requested",
      approval: { id: asked?.["approvalId"] },
    });
    const decided = (approved: boolean) => ({
      messages: [
        messages[0],
        {
          ...messages[1],
          parts: answer?.parts.map((part) =>
            part["approval"] === undefined
              ? part
              : { ...part, state: "approval-responded", approval: { ...(part["approval"] as object), approved } },
          ),
        },
      ],
    });
    const { reply: more } = await withTurn(sessionId, pathOf(sessionId), decided(true), async (running) => {
      const resumed = await watchRaw(api, pathOf(sessionId, "/stream"));
      await done(running);
      await resumed.done;
      expect(typesIn({ text: resumed.text() })).toEqual(
        expect.arrayContaining(["tool-approval-request", "tool-output-available", "text-delta", "finish"]),
      );
    });
    expect(chunksIn(more)[0]).toMatchObject({ type: "start", messageId: turn.messageId.replace("msg", "resp") });
    expect(typesIn(more)).not.toContain("tool-approval-request");
    expect(typesIn(more).at(-1)).toBe("finish");
    const replayed = await post(pathOf(sessionId), decided(true));
    expect([replayed.status, typesIn(replayed)]).toEqual([200, typesIn(more)]);
    const late = await post(pathOf(sessionId), decided(false));
    expect([late.status, late.json.code]).toEqual([409, "idempotency_key_reused"]);
  });

  test("an answer to another session's input is not found", async () => {
    const [one, other] = [await createSession(), await createSession()];
    const { turn } = await withTurn(one, pathOf(one), { message: say("refund") }, ask);
    const part = {
      type: "dynamic-tool",
      state: "approval-responded",
      approval: { id: `${turn.messageId}:refund`, approved: true },
    };
    const refused = await post(pathOf(other), { message: { id: "a", role: "assistant", parts: [part] } });
    expect([refused.status, refused.json.code]).toEqual([404, "not_found"]);
  });

  test("an answer is generated again after a rollback, and a message is replaced", async () => {
    const sessionId = await createSession();
    const turns: ClaimedTurn[] = [];
    for (const text of ["one", "two", "three"]) {
      turns.push((await withTurn(sessionId, pathOf(sessionId), { message: say(text) }, done)).turn);
    }
    const answer = (index: number) => ({
      id: turns[index]!.messageId.replace("msg", "resp"),
      role: "assistant",
      parts: [],
    });
    const regenerate = { trigger: "regenerate-message", messages: [say("one"), answer(0), say("two")] };
    await withTurn(sessionId, pathOf(sessionId), { ...regenerate, messageId: answer(1).id }, done);
    expect(await texts(sessionId)).toEqual(["one", "two"]);
    const edited = say("zwei");
    const body = { messages: [say("one"), answer(0), edited], messageId: edited.id };
    await withTurn(sessionId, pathOf(sessionId), body, done);
    expect(await texts(sessionId)).toEqual(["one", "zwei"]);
    // A client that loaded the history keeps the id of the message that it replaces.
    for (const text of ["deux", "due"]) {
      const own = say(text, turns[1]!.messageId);
      await withTurn(sessionId, pathOf(sessionId), { messages: [answer(0), own], messageId: own.id }, done);
      expect(await texts(sessionId)).toEqual(["one", text]);
    }
    // The client does not say which message it means, or means another one.
    const unsure = { messages: [edited], messageId: edited.id };
    const unseen = { trigger: "regenerate-message", messages: [say("three")] };
    for (const refused of [unsure, unseen]) {
      const { status, json } = await post(pathOf(sessionId), refused);
      expect([status, json.detail]).toEqual([409, expect.stringContaining("load the messages again")]);
    }
    const first = await post(pathOf(sessionId), { trigger: "regenerate-message", messageId: answer(0).id });
    expect([first.status, first.json.code]).toEqual([409, "conflict"]);
    expect(await texts(sessionId)).toEqual(["one", "due"]);
  });

  test("a failed message is sent again without a rollback; a running one is not replaced", async () => {
    const sessionId = await createSession();
    const fail = (turn: ClaimedTurn) =>
      finish(api, turn, { ending: "failed", failure: failure("agent_error", "as asked") });
    const { reply } = await withTurn(sessionId, pathOf(sessionId), { message: say("one") }, fail);
    expect(chunksIn(reply).at(-1)).toEqual({ type: "error", errorText: "agent_error: as asked" });
    const regenerate = { trigger: "regenerate-message" };
    const { turn } = await withTurn(sessionId, pathOf(sessionId), regenerate, async (running) => {
      const busy = await post(pathOf(sessionId), regenerate);
      expect([busy.status, busy.json.code]).toEqual([409, "session_busy"]);
      await done(running);
    });
    expect(await texts(sessionId)).toEqual(["one", "one"]);
    const { json } = await api.call("GET", pathOf(sessionId, "/messages?limit=1"));
    expect(validate(routes.listUiMessages.reply, json)).toEqual([]);
    expect(json).toMatchObject({
      messages: [
        { id: turn.messageId, role: "user" },
        { role: "assistant", parts: [{ type: "step-start" }, { type: "text", text: "done" }] },
      ],
      previous: turn.messageId,
    });
    const before = await api.call("GET", pathOf(sessionId, `/messages?before=${turn.messageId}`));
    expect(before.json).toMatchObject({
      messages: [{ role: "user" }, { metadata: { status: "failed" } }],
      previous: null,
    });
  });

  test("a cancelled turn is an abort", async () => {
    const sessionId = await createSession();
    const { reply } = await withTurn(sessionId, pathOf(sessionId), { message: say("stop") }, async (turn) => {
      await api.call("POST", `/v1/messages/${turn.messageId}/cancel`);
      await finish(api, turn, { ending: "cancelled" });
    });
    expect(chunksIn(reply).at(-1)).toEqual({ type: "abort" });
  });
});

describe("AG-UI", () => {
  const agUi = (sessionId: string) => `/v1/sessions/${sessionId}/ag-ui`;
  const run = (more: object) => ({ threadId: "t", runId: "r", messages: [], tools: [], context: [], ...more });
  const user = (content: string) => ({ id: `ui-${(lastId += 1)}`, role: "user", content });

  test("a run sends a message once; a question is an interrupt, and the next run answers it", async () => {
    const sessionId = await createSession();
    const messages = [user("refund")];
    const { turn, reply } = await withTurn(sessionId, agUi(sessionId), run({ messages }), ask);
    const events = chunksIn(reply);
    expect(events[0]).toEqual({ type: "RUN_STARTED", threadId: "t", runId: "r", protocolVersion: "1.0" });
    const interruptId = `${turn.messageId}:refund`;
    expect(events.at(-1)).toMatchObject({
      type: "RUN_FINISHED",
      outcome: { type: "interrupt", interrupts: [{ id: interruptId, message: "May I?", responseSchema: decision }] },
    });
    const attached = await post(agUi(sessionId), run({}));
    expect(chunksIn(attached)).toMatchObject([
      { type: "RUN_STARTED" },
      { type: "MESSAGES_SNAPSHOT", messages: [{ id: turn.messageId, role: "user", content: "refund" }] },
      { type: "RUN_FINISHED", outcome: { type: "interrupt" } },
    ]);
    const wrong = run({ messages, resume: [{ interruptId, status: "resolved", payload: { approved: 1 } }] });
    expect((await post(agUi(sessionId), wrong)).status).toBe(422);
    const resume = [{ interruptId, status: "resolved", payload: { approved: true } }];
    const { reply: more } = await withTurn(sessionId, agUi(sessionId), run({ messages, resume }), done);
    expect(typesIn(more)).toEqual([
      "RUN_STARTED",
      "TEXT_MESSAGE_START",
      "TEXT_MESSAGE_CONTENT",
      "TEXT_MESSAGE_END",
      "RUN_FINISHED",
    ]);
    expect(typesIn(await post(agUi(sessionId), run({ messages, resume })))).toEqual(typesIn(more));
    const abandon = run({ messages, resume: [{ interruptId, status: "cancelled" }] });
    expect((await post(agUi(sessionId), abandon)).status).toBe(409);
    expect(await texts(sessionId)).toEqual(["refund"]);
    const shown = chunksIn(await post(agUi(sessionId), run({})));
    expect(shown).toMatchObject([
      { type: "RUN_STARTED" },
      { messages: [{ role: "user" }, { role: "assistant", content: "done" }] },
      { type: "RUN_FINISHED", outcome: { type: "success" } },
    ]);
  });

  test("an abandoned interrupt cancels its message, and the new message runs", async () => {
    const sessionId = await createSession();
    const first = user("refund");
    const { turn } = await withTurn(sessionId, agUi(sessionId), run({ messages: [first] }), ask);
    const resume = [{ interruptId: `${turn.messageId}:refund`, status: "cancelled" }];
    const stopped = await post(agUi(sessionId), run({ messages: [first], resume }));
    expect(chunksIn(stopped).at(-1)).toMatchObject({ outcome: { type: "cancelled" } });
    const messages = [first, user("other")];
    const { reply } = await withTurn(sessionId, agUi(sessionId), run({ messages, resume }), done);
    expect(chunksIn(reply).at(-1)).toMatchObject({ outcome: { type: "success" } });
  });

  test("a failed turn is an error", async () => {
    const sessionId = await createSession();
    const fail = (turn: ClaimedTurn) =>
      finish(api, turn, { ending: "failed", failure: failure("agent_error", "as asked") });
    const { reply } = await withTurn(sessionId, agUi(sessionId), run({ messages: [user("fail")] }), fail);
    expect(chunksIn(reply).at(-1)).toEqual({ type: "RUN_ERROR", code: "agent_error", message: "as asked" });
  });
});
