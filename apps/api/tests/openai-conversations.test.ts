// OpenAI's conversations, and trees of responses that continue one another.

import { routes, validate } from "@dari/contract";
import type { ClaimedTurn } from "@dari/db";
import { limits } from "@dari/domain";
import { createTestAgent, waitUntil } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { complete } from "./turn.ts";
import { claimIn } from "./watching.ts";

let api: TestApi;
let agentId: string;
let versionId: string;
beforeAll(async () => {
  api = await startTestApi();
  ({ agentId, versionId } = await createTestAgent(api.db, api.org.organizationId));
});
afterAll(async () => api[Symbol.asyncDispose]());

interface Sent {
  readonly id: string;
  readonly sessionId: string;
}

const send = (body: object) =>
  api.call("POST", "/openai/v1/responses", { body: { input: "hello", background: true, ...body } });

async function sent(body: object): Promise<Sent> {
  const { status, json, text } = await send(body);
  expect([status, text]).toEqual([200, expect.any(String)]);
  const { id } = json["conversation"] as { id: string };
  return { id: String(json["id"]), sessionId: id.replace("conv", "sess") };
}

/** Claims and completes the session's next turn with this workspace. */
async function run({ sessionId }: Sent, files: Record<string, string>): Promise<ClaimedTurn> {
  const turn = await claimIn(api, sessionId);
  await complete(api, turn, { files });
  return turn;
}

const sessionOf = ({ sessionId }: Sent) => api.call("GET", `/v1/sessions/${sessionId}`);
const errorOf = ({ status, json }: TestReply) => [status, json["error"]];

test("a response continues in the session while it is the newest, and otherwise in a fork with its files", async () => {
  const first = await sent({ model: agentId });
  await run(first, { "a.txt": "1" });
  const second = await sent({ previous_response_id: first.id });
  expect(second.sessionId).toBe(first.sessionId);
  await run(second, { "a.txt": "2", "b.txt": "2" });
  const branch = await sent({ previous_response_id: first.id, model: agentId });
  expect(branch.sessionId).not.toBe(first.sessionId);
  await run(branch, { "a.txt": "1", "c.txt": "3" });
  const files = async ({ sessionId }: Sent): Promise<unknown> => {
    const { json } = await api.call("GET", `/v1/sessions/${sessionId}/files?path=/`);
    return (json["entries"] as { path: string }[]).map((entry) => entry.path);
  };
  expect([await files(second), await files(branch)]).toEqual([
    ["/a.txt", "/b.txt"],
    ["/a.txt", "/c.txt"],
  ]);
  const shown = (await api.call("GET", `/openai/v1/responses/${branch.id}`)).json;
  expect(shown).toMatchObject({ status: "completed", previous_response_id: first.id });
});

test("of many that continue the same response at once, one stays in its session", async () => {
  const first = await sent({ model: agentId });
  await run(first, {});
  const branches = await Promise.all(Array.from({ length: 8 }, () => sent({ previous_response_id: first.id })));
  const sessions = branches.map(({ sessionId }) => sessionId);
  expect(new Set(sessions).size).toBe(8);
  expect(sessions.filter((sessionId) => sessionId === first.sessionId)).toHaveLength(1);
});

test("store: false continues in a fork that is deleted, and leaves the response's own session as it was", async () => {
  const first = await sent({ model: agentId });
  await run(first, {});
  const replying = send({ previous_response_id: first.id, store: false, background: false });
  const fork = await waitForFork(first);
  await complete(api, await claimIn(api, fork));
  expect((await replying).json).toMatchObject({ status: "completed", previous_response_id: first.id });
  expect((await api.call("GET", `/v1/sessions/${fork}`)).status).toBe(404);
  expect((await sessionOf(first)).json).toMatchObject({ last_message_id: first.id.replace("resp", "msg") });
});

/** Returns the session's first fork. */
function waitForFork({ sessionId }: Sent): Promise<string> {
  return waitUntil(
    async () => {
      const found = await api.db.pool.query<{ id: string }>(
        "select id from dari.sessions where forked_from_session_id = $1",
        [sessionId],
      );
      return found.rows[0]?.id;
    },
    { what: "the fork" },
  );
}

test("a version that is pinned runs in a fork, and another agent is refused", async () => {
  const first = await sent({ model: agentId });
  await run(first, {});
  const same = await sent({ previous_response_id: first.id, model: `${agentId}@${versionId}` });
  expect(same.sessionId).toBe(first.sessionId);
  const other = (await createTestAgent(api.db, api.org.organizationId)).agentId;
  const refused = await send({ previous_response_id: first.id, model: other });
  expect(errorOf(refused)).toMatchObject([400, { param: "model" }]);
  const conversation = first.sessionId.replace("sess", "conv");
  expect(errorOf(await send({ conversation, model: other }))).toMatchObject([400, { param: "model" }]);
});

test("a rolled-back response and one that has not ended cannot be branched from", async () => {
  const first = await sent({ model: agentId });
  const second = await sent({ previous_response_id: first.id });
  expect(second.sessionId).toBe(first.sessionId);
  expect(errorOf(await send({ previous_response_id: first.id }))).toMatchObject([409, { code: "conflict" }]);
  await run(first, {});
  await run(second, {});
  const body = { message_id: first.id.replace("resp", "msg") };
  expect((await api.call("POST", `/v1/sessions/${first.sessionId}/rollback`, { body })).status).toBe(200);
  expect(errorOf(await send({ previous_response_id: second.id }))).toMatchObject([409, { code: "conflict" }]);
  expect((await sent({ previous_response_id: first.id })).sessionId).not.toBe(first.sessionId);
});

test("a conversation is a session: created, continued, changed, listed and deleted", async () => {
  const body = { model: agentId, metadata: { topic: "x" } };
  const made = await api.call("POST", "/openai/v1/conversations", { body });
  expect(validate(routes.createOpenAiConversation.reply, made.json)).toEqual([]);
  const id = String(made.json["id"]);
  const own = { sessionId: id.replace("conv", "sess"), id };
  expect((await sessionOf(own)).json).toMatchObject({ agent_id: agentId, metadata: { topic: "x" } });
  const changed = await api.call("POST", `/openai/v1/conversations/${id}`, { body: { metadata: { topic: "y" } } });
  expect(changed.json).toEqual({ ...made.json, metadata: { topic: "y" } });
  expect((await api.call("GET", `/openai/v1/conversations/${id}`)).json).toEqual(changed.json);

  const first = await sent({ conversation: id, input: "one" });
  const second = await sent({ conversation: { id }, input: "two" });
  expect([first.sessionId, second.sessionId]).toEqual([own.sessionId, own.sessionId]);
  await run(first, {});
  await run(second, {});
  const list = async (query: string) => {
    const { json } = await api.call("GET", `/openai/v1/conversations/${id}/items${query}`);
    expect(validate(routes.listOpenAiConversationItems.reply, json)).toEqual([]);
    return json as { data: { id: string; content: { text: string }[] }[]; last_id: string; has_more: boolean };
  };
  const textsOf = ({ data }: Awaited<ReturnType<typeof list>>) => data.map(({ content }) => content[0]?.text);
  expect(textsOf(await list("?order=asc"))).toEqual(["one", "done", "two", "done"]);
  expect(textsOf(await list(""))).toEqual(["done", "two", "done", "one"]);
  for (const order of ["asc", "desc"]) {
    const seen: (string | undefined)[] = [];
    let page = await list(`?order=${order}&limit=1`);
    for (;;) {
      seen.push(...textsOf(page));
      if (!page.has_more) break;
      page = await list(`?order=${order}&limit=1&after=${page.last_id}`);
    }
    expect(seen).toEqual(textsOf(await list(`?order=${order}`)));
  }
  const gone = await api.call("DELETE", `/openai/v1/conversations/${id}`);
  expect(gone.json).toEqual({ id, object: "conversation.deleted", deleted: true });
  expect(errorOf(await send({ conversation: id }))).toMatchObject([404, { param: "conversation" }]);
  expect(errorOf(await send({ previous_response_id: first.id }))).toMatchObject([
    404,
    { param: "previous_response_id" },
  ]);
});

/** A pseudo-random order that a failure can be repeated with. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  };
}

test("in any tree of continuations, each branch has its own history and files", async () => {
  const seed = 7;
  const random = createRandom(seed);
  interface Node extends Sent {
    readonly path: readonly string[];
  }
  const nodes: Node[] = [];
  for (let count = 0; count < 24; count++) {
    const parent = count === 0 ? undefined : nodes[random(nodes.length)];
    const own = `n${count}`;
    const made = await sent({
      ...(parent === undefined ? { model: agentId } : { previous_response_id: parent.id }),
      input: own,
    });
    const path = [...(parent?.path ?? []), own];
    await run(made, Object.fromEntries(path.map((name) => [`${name}.txt`, name])));
    nodes.push({ ...made, path });
  }
  for (const { id, sessionId, path } of nodes) {
    // What the agent of a next turn after this response would see.
    const fork = await api.call("POST", `/v1/sessions/${sessionId}/fork`, {
      body: { message_id: id.replace("resp", "msg") },
    });
    const at = String(fork.json["id"]);
    const { json } = await api.call("GET", `/v1/sessions/${at}/files?path=/`);
    const files = (json["entries"] as { path: string }[]).map((entry) => entry.path);
    expect([seed, id, files]).toEqual([seed, id, path.map((name) => `/${name}.txt`).sort()]);
    const { data } = (await api.call("GET", `/v1/sessions/${at}/messages`)).json;
    const texts = (data as { parts: { text: string }[] }[]).map(({ parts }) => parts[0]?.text);
    expect([seed, id, texts]).toEqual([seed, id, path]);
  }
});

test("a page of items has at most 8 MiB, and the next one continues after it", async () => {
  const { id, sessionId } = await sent({ model: agentId });
  const input = "x".repeat(limits.messageTextBytes);
  const number = Math.ceil(limits.pageBytes / limits.messageTextBytes) + 1;
  for (let sentSoFar = 0; sentSoFar < number; sentSoFar++) {
    await sent({ conversation: sessionId.replace("sess", "conv"), input });
  }
  const items = `/openai/v1/conversations/${sessionId.replace("sess", "conv")}/items?limit=100&order=asc`;
  const first = (await api.call("GET", items)).json;
  expect([first["has_more"], Buffer.byteLength(JSON.stringify(first.data)) <= limits.pageBytes]).toEqual([true, true]);
  const rest = (await api.call("GET", `${items}&after=${String(first["last_id"])}`)).json;
  const ids = [first, rest].flatMap(({ data }) => (data as { id: string }[]).map((item) => item.id));
  expect([new Set(ids).size, ids[0], rest["has_more"]]).toEqual([number + 1, id.replace("resp", "msg"), false]);
});
