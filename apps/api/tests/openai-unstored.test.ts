// Who deletes what a request with `store: false` has created if its API process does not: a reconciler.

import { deleteExpired } from "@dari/control/storage";
import type { ClaimedTurn } from "@dari/db";
import { createTestAgent, createTestFile } from "@dari/testkit";
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

const inline = "data:text/plain;base64,aGk=";

/** Sends a text, a file in the request, and one that was uploaded before. */
const doors = {
  responses(fileId: string, fields: object = {}): Promise<TestReply> {
    const content = [
      { type: "input_text", text: "hello" },
      { type: "input_file", filename: "a.txt", file_data: inline },
      { type: "input_file", file_id: fileId },
    ];
    const body = { model: agentId, input: [{ role: "user", content }], store: false, ...fields };
    return api.call("POST", "/openai/v1/responses", { body });
  },
  chat_completions(fileId: string, fields: object = {}): Promise<TestReply> {
    const content = [
      { type: "text", text: "hello" },
      { type: "file", file: { filename: "a.txt", file_data: inline } },
      { type: "file", file: { file_id: fileId } },
    ];
    const body = { model: agentId, messages: [{ role: "user", content }], store: false, ...fields };
    return api.call("POST", "/openai/v1/chat/completions", { body });
  },
} as const;

const statusOf = async (path: string): Promise<number> => (await api.call("GET", path)).status;

/** Returns the ids of the files that a message has, in the order of its parts. */
async function filesOf({ messageId }: ClaimedTurn): Promise<string[]> {
  const { parts } = (await api.call("GET", `/v1/messages/${messageId}`)).json as { parts: { file_id?: string }[] };
  return parts.flatMap(({ file_id: id }) => id ?? []);
}

/** Runs a reconciler's pass after this much more time. */
async function sweepAfter({ sessionId }: ClaimedTurn, seconds: number): Promise<void> {
  const age = (column: string) => `set ${column} = ${column} - $2 * interval '1 second'`;
  await api.db.pool.query(`update dari.sessions ${age("created_at")} where id = $1`, [sessionId, seconds]);
  await api.db.pool.query(`update dari.messages ${age("completed_at")} where session_id = $1`, [sessionId, seconds]);
  await deleteExpired(api.control);
}

describe.each(["responses", "chat_completions"] as const)("%s", (door) => {
  test("a session and the files in its request are deleted after a day, whatever its turn does", async () => {
    const uploaded = await createTestFile(api.db, api.org.organizationId);
    // The request waits, as it does in a process that is about to die.
    const { turn, replying } = await claimSent(api, () => doors[door](uploaded));
    const [sent = ""] = await filesOf(turn);
    const paths = [`/v1/sessions/${turn.sessionId}`, `/v1/files/${sent}`, `/v1/files/${uploaded}`];
    const statuses = () => Promise.all(paths.map(statusOf));
    await sweepAfter(turn, 3_600);
    expect(await statuses()).toEqual([200, 200, 200]);
    await sweepAfter(turn, 86_400);
    expect(await statuses()).toEqual([404, 404, 200]);
    expect((await replying).status).toBe(404);
  });

  test("a session and the files in its request are deleted 10 minutes after the end of its turn", async () => {
    const uploaded = await createTestFile(api.db, api.org.organizationId);
    const { turn, replying } = await claimSent(api, () => doors[door](uploaded));
    const [sent = ""] = await filesOf(turn);
    await complete(api, turn);
    expect((await replying).status).toBe(200);
    const paths = [`/v1/sessions/${turn.sessionId}`, `/v1/files/${sent}`, `/v1/files/${uploaded}`];
    const statuses = () => Promise.all(paths.map(statusOf));
    expect(await statuses()).toEqual([404, 404, 200]);
    // The rows are now those of a process that died before it deleted them.
    await api.db.pool.query("update dari.sessions set deleted_at = null where id = $1", [turn.sessionId]);
    await api.db.pool.query("update dari.files set deleted_at = null where id = $1", [sent]);
    await sweepAfter(turn, 540);
    expect(await statuses()).toEqual([200, 200, 200]);
    await sweepAfter(turn, 120);
    expect(await statuses()).toEqual([404, 404, 200]);
  });

  test("what is to be stored stays", async () => {
    const uploaded = await createTestFile(api.db, api.org.organizationId);
    const { turn, replying } = await claimSent(api, () => doors[door](uploaded, { store: true }));
    await complete(api, turn);
    expect((await replying).status).toBe(200);
    await sweepAfter(turn, 10 * 86_400);
    expect(await statusOf(`/v1/sessions/${turn.sessionId}`)).toBe(200);
  });
});
