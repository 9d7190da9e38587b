// Who deletes what a request with `store: false` has created if its API process does not: a reconciler.

import { deleteExpired } from "@dari/control/storage";
import { openDatabase, type ClaimedTurn } from "@dari/db";
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

/** Sends a message that is stored after an unstored one. */
function continueAfter(door: keyof typeof doors, { messageId }: ClaimedTurn, fileId: string): Promise<TestReply> {
  const path = door === "responses" ? "/openai/v1/responses" : "/openai/v1/chat/completions";
  const file = { type: "file", file: { file_id: fileId } };
  const inRequest = { type: "file", file: { filename: "a.txt", file_data: inline } };
  const messages = [
    { role: "user", content: [{ type: "text", text: "hello" }, inRequest, file] },
    { role: "assistant", content: "done" },
    { role: "user", content: "more" },
  ];
  const previous_response_id = messageId.replace("msg", "resp");
  const body = door === "responses" ? { previous_response_id, input: "more" } : { model: agentId, messages };
  return api.call("POST", path, { body });
}

/** Makes the database refuse to delete a file, until it is disposed. */
async function refuseDeletions(fileId: string): Promise<AsyncDisposable> {
  // The application's role owns no table.
  const owner = openDatabase({ url: api.db.url, poolMax: 1, applicationName: "dari-test-owner" });
  await owner.pool.query(`
    create or replace function dari.refuse_deletion() returns trigger language plpgsql as
      $$ begin if new.deleted_at is not null then raise 'refused'; end if; return new; end $$;
    create trigger refuse_deletion before update on dari.files for each row when (old.id = '${fileId}')
      execute function dari.refuse_deletion()`);
  return {
    async [Symbol.asyncDispose]() {
      await owner.pool.query("drop trigger refuse_deletion on dari.files");
      await owner.close();
    },
  };
}

describe.each(["responses", "chat_completions"] as const)("%s", (door) => {
  test("a session and the files in its request are deleted after seven days, whatever its turn does", async () => {
    const uploaded = await createTestFile(api.db, api.org.organizationId);
    // The request waits, as it does in a process that is about to die.
    const { turn, replying } = await claimSent(api, () => doors[door](uploaded));
    const [sent = ""] = await filesOf(turn);
    const paths = [`/v1/sessions/${turn.sessionId}`, `/v1/files/${sent}`, `/v1/files/${uploaded}`];
    const statuses = () => Promise.all(paths.map(statusOf));
    // A turn can take a day, and can wait before.
    await sweepAfter(turn, 2 * 86_400);
    expect(await statuses()).toEqual([200, 200, 200]);
    await sweepAfter(turn, 5 * 86_400);
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

  test("what continues an unstored turn is not deleted with it", async () => {
    const uploaded = await createTestFile(api.db, api.org.organizationId);
    const first = await claimSent(api, () => doors[door](uploaded));
    await complete(api, first.turn);
    expect((await first.replying).status).toBe(200);
    // The rows are now those of a process that died before it deleted them.
    await api.db.pool.query("update dari.sessions set deleted_at = null where id = $1", [first.turn.sessionId]);
    const second = await claimSent(api, () => continueAfter(door, first.turn, uploaded));
    await complete(api, second.turn);
    expect((await second.replying).status).toBe(200);
    expect(second.turn.sessionId).not.toBe(first.turn.sessionId);
    await sweepAfter(first.turn, 660);
    await sweepAfter(second.turn, 10 * 86_400);
    const paths = [first.turn, second.turn].map(({ sessionId }) => `/v1/sessions/${sessionId}`);
    expect(await Promise.all(paths.map(statusOf))).toEqual([404, 200]);
  });

  test("if a file cannot be deleted, a reconciler deletes it with its session", async () => {
    const uploaded = await createTestFile(api.db, api.org.organizationId);
    const { turn, replying } = await claimSent(api, () => doors[door](uploaded));
    const [sent = ""] = await filesOf(turn);
    const paths = [`/v1/sessions/${turn.sessionId}`, `/v1/files/${sent}`];
    const statuses = () => Promise.all(paths.map(statusOf));
    {
      await using _refusing = await refuseDeletions(sent);
      await complete(api, turn);
      expect((await replying).status).toBe(200);
      expect(await statuses()).toEqual([200, 200]);
      await sweepAfter(turn, 660);
      expect(await statuses()).toEqual([200, 200]);
      expect(api.log).toContainEqual(expect.objectContaining({ level: "error", event: "session.delete_failed" }));
    }
    await sweepAfter(turn, 0);
    expect(await statuses()).toEqual([404, 404]);
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
