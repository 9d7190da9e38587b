// Session tokens instead of a key: sent, renewed when the platform refuses them, and shared by calls.

import { expect, test } from "@jest/globals";
import { text } from "node:stream/consumers";
import { createClient } from "@dari/client";
import { reply, serve } from "./serve.ts";

const refusal = { detail: "the session token has expired", code: "unauthenticated", request_id: "r" };

/** A platform that accepts one bearer. */
async function servePlatform() {
  const state = { accepts: "dtok_1", seen: [] as unknown[] };
  const { url } = await serve((request, response) => {
    void text(request).then((body) => {
      const bearer = request.headers.authorization ?? "";
      state.seen.push([request.url, bearer, body]);
      if (bearer === `Bearer ${state.accepts}`) return reply(response, 200, { id: "msg_1", status: "queued" });
      return reply(response, 401, refusal);
    });
  });
  return { url, state };
}

const hello = { parts: [{ type: "text" as const, text: "hi" }] };

test("a token is sent as the bearer", async () => {
  const { url, state } = await servePlatform();
  await createClient({ apiUrl: url, token: "dtok_1" }).getSession("sess_1");
  expect(state.seen).toEqual([["/v1/sessions/sess_1", "Bearer dtok_1", ""]]);
});

test("a refused token is renewed once, and the call is sent again with the same body", async () => {
  const { url, state } = await servePlatform();
  let asked = 0;
  const client = createClient({ apiUrl: url, token: async () => `dtok_${++asked}` });
  await client.getSession("sess_1");
  state.accepts = "dtok_2";
  await client.sendMessageAsync("sess_1", hello, { idempotencyKey: "k" });
  const body = JSON.stringify(hello);
  expect(state.seen.slice(1)).toEqual([
    ["/v1/sessions/sess_1/messages/async", "Bearer dtok_1", body],
    ["/v1/sessions/sess_1/messages/async", "Bearer dtok_2", body],
  ]);
  state.accepts = "none";
  await expect(client.getSession("sess_1")).rejects.toMatchObject({ status: 401, detail: refusal.detail });
  expect(asked).toBe(3);
});

test("calls at the same time share one new token", async () => {
  const { url, state } = await servePlatform();
  let asked = 0;
  const client = createClient({ apiUrl: url, token: () => `dtok_${++asked}` });
  await Promise.all([client.getSession("sess_1"), client.getSession("sess_2")]);
  expect(asked).toBe(1);
  state.accepts = "dtok_2";
  await Promise.all(["a", "b", "c"].map((id) => client.getSession(`sess_${id}`)));
  expect(asked).toBe(2);
});

test("a function that fails fails its call, and the next call asks again", async () => {
  const { url } = await servePlatform();
  let asked = 0;
  const client = createClient({
    apiUrl: url,
    token: () => {
      asked += 1;
      if (asked === 1) throw new Error("signed out");
      return "dtok_1";
    },
  });
  await expect(client.getSession("sess_1")).rejects.toThrow("signed out");
  await client.getSession("sess_1");
  expect(asked).toBe(2);
});

test("a function that returns a page instead of a token fails its call, and the next call asks again", async () => {
  const { url } = await servePlatform();
  let asked = 0;
  const pages = ["<html>\n<p>Bad gateway</p>\n", ""];
  const client = createClient({ apiUrl: url, token: () => pages[asked++] ?? "dtok_1" });
  for (const _ of pages) await expect(client.getSession("sess_1")).rejects.toThrow("returned no token");
  await client.getSession("sess_1");
  expect(asked).toBe(3);
});

test("a stream with an expired token continues with a new one", async () => {
  let asked = 0;
  let calls = 0;
  const { url } = await serve((request, response) => {
    calls += 1;
    if (calls === 2) return reply(response, 401, refusal);
    response.writeHead(200, { "content-type": "text/event-stream" });
    const event = (number: number, type: string): string => {
      const data = { sequence_number: number, type, message_id: "msg_1", data: {} };
      return `id: ${number}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
    };
    response.end(calls === 1 ? event(1, "user.message") : event(2, "message.completed"));
  });
  const client = createClient({ apiUrl: url, token: () => `dtok_${++asked}` });
  const seen: string[] = [];
  for await (const event of client.streamMessage("msg_1")) seen.push(event.type);
  expect([seen, asked, calls]).toEqual([["user.message", "message.completed"], 2, 3]);
});
