// Requests that OpenAI's clients repeat after their time limit: without a key, with the number of the attempt.

import type { ClaimedTurn } from "@dari/db";
import { createTestAgent, createTestKey, waitUntil } from "@dari/testkit";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { complete } from "./turn.ts";
import { claimSent } from "./watching.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi({ settings: { syncWaitMs: 30_000 } });
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterAll(async () => api[Symbol.asyncDispose]());

type Door = "responses" | "chat_completions";

const doors: Readonly<Record<Door, (text: string) => readonly [path: string, body: object]>> = {
  responses: (input) => ["/openai/v1/responses", { model: agentId, input }],
  chat_completions: (content) => [
    "/openai/v1/chat/completions",
    { model: agentId, messages: [{ role: "user", content }] },
  ],
};

const repeat = { "x-stainless-retry-count": "1" };

/** Returns the numbers of messages and of notes about requests without an answer. */
async function counts(): Promise<{ messages: number; notes: number }> {
  const { rows } = await api.db.pool.query<{ messages: number; notes: number }>(
    `select (select count(*)::int from dari.messages) as messages,
      (select count(*)::int from dari.idempotency_keys where method = 'UNANSWERED') as notes`,
  );
  return rows[0]!;
}

/** Sends a request whose client goes away while the turn runs. */
async function abandon(path: string, body: object): Promise<ClaimedTurn> {
  const leaving = new AbortController();
  const { turn, replying } = await claimSent(api, () =>
    fetch(`${api.url}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${api.org.apiKey}`, "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: leaving.signal,
    }).catch(() => undefined),
  );
  const { notes } = await counts();
  leaving.abort();
  await replying;
  if ((body as { store?: boolean }).store === false) return turn;
  await waitUntil(async () => (await counts()).notes > notes, { what: "the request to be noted" });
  return turn;
}

describe.each<Door>(["responses", "chat_completions"])("%s", (door) => {
  const of = (text: string, fields: object = {}) => {
    const [path, body] = doors[door](text);
    return { path, body: { ...body, ...fields } };
  };
  const post = (text: string, headers: Record<string, string>, key?: string): Promise<TestReply> => {
    const { path, body } = of(text);
    return api.call("POST", path, { body, headers, ...(key === undefined ? {} : { key }) });
  };
  /** Sends a request that starts a turn of its own, and ends it. */
  const startsAnother = async (send: () => Promise<TestReply>, first: ClaimedTurn): Promise<void> => {
    const { turn, replying } = await claimSent(api, send);
    await complete(api, turn);
    expect((await replying).status).toBe(200);
    expect(turn.messageId).not.toBe(first.messageId);
  };

  test("a repeated request waits for the first one's turn", async () => {
    const { path, body } = of("slow");
    const turn = await abandon(path, body);
    const before = await counts();
    const replying = post("slow", repeat);
    await waitUntil(async () => (await counts()).notes < before.notes, { what: "the repeated request to arrive" });
    await complete(api, turn);
    const { status, json, headers } = await replying;
    const id = turn.messageId.slice("msg_".length);
    expect([status, String(json["id"]).endsWith(id), headers.get("idempotent-replayed")]).toEqual([200, true, "true"]);
    expect((await counts()).messages).toBe(before.messages);
  });

  test("it finds a turn that has ended in between, and one that it has left again", async () => {
    const { path, body } = of("twice");
    const turn = await abandon(path, body);
    const { messages } = await counts();
    const leaving = new AbortController();
    const again = fetch(`${api.url}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${api.org.apiKey}`, "content-type": "application/json", ...repeat },
      body: JSON.stringify(body),
      signal: leaving.signal,
    }).catch(() => undefined);
    await waitUntil(async () => (await counts()).notes === 0, { what: "the repeated request to arrive" });
    leaving.abort();
    await again;
    await waitUntil(async () => (await counts()).notes === 1, { what: "the request to be noted again" });
    await complete(api, turn);
    const { status, json } = await post("twice", { "x-stainless-retry-count": "2" });
    expect([status, String(json["id"]).endsWith(turn.messageId.slice("msg_".length))]).toEqual([200, true]);
    expect((await counts()).messages).toBe(messages);
  });

  test("other requests start turns of their own", async () => {
    const { path, body } = of("own");
    const turn = await abandon(path, body);
    const { apiKey } = await createTestKey(api.db, api.org.organizationId, ["run", "read"]);
    await startsAnother(() => post("own", {}), turn);
    await startsAnother(() => post("own", { "x-stainless-retry-count": "0" }), turn);
    await startsAnother(() => post("else", repeat), turn);
    await startsAnother(() => post("own", repeat, apiKey), turn);
    await startsAnother(() => post("own", { ...repeat, "idempotency-key": `k-${door}` }), turn);
    // The one that may find it does so once.
    await complete(api, turn);
    expect((await post("own", repeat)).headers.get("idempotent-replayed")).toBe("true");
    await startsAnother(() => post("own", repeat), turn);
  });

  test("six minutes later it is not found, and with store: false never", async () => {
    const late = of("late");
    const turn = await abandon(late.path, late.body);
    await api.db.pool.query(
      "update dari.idempotency_keys set created_at = created_at - interval '6 minutes' where method = 'UNANSWERED'",
    );
    await startsAnother(() => post("late", repeat), turn);
    await api.db.pool.query("delete from dari.idempotency_keys where method = 'UNANSWERED'");
    const unstored = of("unstored", { store: false });
    const left = await abandon(unstored.path, unstored.body);
    await startsAnother(() => api.call("POST", unstored.path, { body: unstored.body, headers: repeat }), left);
    expect((await counts()).notes).toBe(0);
  });
});
