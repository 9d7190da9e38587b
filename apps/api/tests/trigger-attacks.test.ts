// What somebody who knows a trigger's URL, or has seen a signed event, can do with it.

import { request as httpRequest } from "node:http";
import { text as textOf } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { limits } from "@dari/domain";
import {
  expectReceipt,
  github,
  openTriggerScene,
  secret,
  slack,
  type Headers,
  type TriggerScene,
} from "./trigger-scene.ts";

let scene: TriggerScene;
beforeEach(async () => {
  scene = await openTriggerScene();
});
afterEach(async () => scene[Symbol.asyncDispose]());

describe("an attacker", () => {
  test("learns nothing from a wrong token, and runs into the limit of its address", async () => {
    await scene[Symbol.asyncDispose]();
    scene = await openTriggerScene({ settings: { unauthenticatedPerMinute: 5 } });
    const { id, url } = await scene.create();
    const deleted = await scene.create();
    await scene.api.call("DELETE", `${scene.base}/${deleted.id}`);
    const guesses = ["x", `dtrg_${"x".repeat(43)}`, deleted.url.split("/").at(-1)!, id, `${url.split("/").at(-1)!}x`];
    const replies = [];
    for (const guess of guesses) replies.push(await scene.post(`/v1/triggers/${guess}`, { a: 1 }));
    const answers = replies.map(({ status, json }) => [status, json.code, json.detail]);
    expect(answers).toEqual(guesses.map(() => [404, "not_found", "trigger not found"]));
    expect((await scene.post("/v1/triggers/x", { a: 1 })).status).toBe(429);
    // The sender of a real trigger is not refused because of its neighbours.
    expectReceipt(await scene.post(url, { a: 1 }), 202, "accepted");
    const signed = await scene.create({ scheme: "github", secret });
    expect((await scene.post(signed.url, "{}", github("{}", "1", "wrong-wrong-wrong-wrong"))).status).toBe(429);
    const own = { authorization: "Bearer the-sender's-own", ...github("{}") };
    expectReceipt(await scene.post(signed.url, "{}", own), 202, "accepted");
  });

  test("cannot send with a wrong signature, and is not told what is wrong", async () => {
    const { url } = await scene.create({ scheme: "slack", secret });
    const body = '{"type":"event_callback","event_id":"Ev1"}';
    const old = Math.floor(Date.now() / 1_000) - 301;
    const wrong = [
      {},
      slack(body, "another-secret-of-somebody"),
      slack(body, secret, old),
      { ...slack(body, secret, old), "x-slack-request-timestamp": String(old + 301) },
      { ...slack(body), "x-slack-signature": "v0=" },
      slack(`${body} `),
      github(body),
    ];
    for (const headers of wrong) {
      const reply = await scene.post(url, body, headers as Headers);
      expect([reply.status, reply.json.code, reply.json.detail]).toEqual([
        401,
        "unauthenticated",
        "the event's signature is missing, wrong or too old",
      ]);
      expect(reply.headers.get("www-authenticate")).toBe("Signature");
    }
    expect((await scene.post(url, JSON.stringify(JSON.parse(`{"a":1, "b":2}`)), slack('{"a":1, "b":2}'))).status).toBe(
      401,
    );
    expect(await scene.count("messages")).toBe(0);
  });

  test("cannot use a header twice", async () => {
    const { url } = await scene.create({
      scheme: "github",
      secret,
      when: [{ header: "X-GitHub-Event", equals: ["issues"] }],
    });
    const body = '{"a":1}';
    const good = github(body);
    const twice = async (name: string, values: string[]) => {
      const headers = Object.entries({ ...good, "content-type": "application/json" })
        .filter(([key]) => key !== name)
        .flat();
      return rawPost(url, body, [...headers, ...values.flatMap((value) => [name, value])]);
    };
    const signature = good["x-hub-signature-256"]!;
    for (const values of [
      [signature, signature],
      [`sha256=${"0".repeat(64)}`, signature],
    ]) {
      expect((await twice("x-hub-signature-256", values)).status).toBe(401);
    }
    const event = await twice("x-github-event", ["issues", "issues"]);
    expect([event.status, JSON.parse(event.text).status]).toEqual([200, "ignored"]);
    expect((await twice("x-github-event", ["issues"])).status).toBe(202);
  });

  test("cannot exhaust the platform with large, deep or broken bodies", async () => {
    const { url } = await scene.create({ text: "{{a}}", include_body: true });
    const send = (body: unknown, headers: Headers = {}) => scene.post(url, body, headers);
    expect((await send(`{"a":"${"x".repeat(limits.triggerBodyBytes)}"}`)).status).toBe(413);
    const deep = `{"a":${"[".repeat(400_000)}${"]".repeat(400_000)}}`;
    expect((await send(deep)).status).toBe(422);
    const fields = [...Array(100_000).keys()].map((n) => `"${n}":1`).join(",");
    expect((await send(`{"a":1,${fields}}`)).status).toBe(202);
    for (const body of ["", "{", "[1,]", "\uFEFF{}x", "null", "1", '"a"']) expect((await send(body)).status).toBe(422);
    expect((await send(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).status).toBe(422);
    expect((await send("{}", { "content-encoding": "gzip" })).status).toBe(422);
    expectReceipt(await send('{"a":"x\\u0000\\ud800","__proto__":{"b":1},"constructor":2}'), 202, "accepted");
    expect((await scene.messages()).at(-1)?.parts[0]?.text).toBe("x\uFFFD\uFFFD");
    expectReceipt(await send({ a: 1 }, { "content-type": "application/x-www-form-urlencoded" }), 202, "accepted");
  });

  test("finds no token in the log, whatever goes wrong", async () => {
    const { url } = await scene.create();
    const token = url.split("/").at(-1)!;
    await scene.post(url, { a: 1 });
    await scene.api.call("GET", url, { key: null });
    await scene.post(`${url}/more`, { a: 1 });
    await scene.post(`${scene.api.url}//v1/triggers/${token}`, { a: 1 });
    await scene.post(`${scene.api.url}/V1/Triggers/${token}`, { a: 1 });
    const sendError = { backlog: { admit: () => Promise.reject(new Error("broken")) } };
    Object.assign(scene.api.control, sendError);
    expect((await scene.post(url, { a: 1 })).status).toBe(500);
    const lines = scene.api.log.filter(({ event }) => event === "request failed" || event === "request");
    expect(lines.length).toBeGreaterThanOrEqual(6);
    expect(JSON.stringify(lines.map(({ fields }) => fields))).not.toContain(token);
  });
});

test("an event counts as a request and a message of its organization, once its sender is known", async () => {
  await scene[Symbol.asyncDispose]();
  scene = await openTriggerScene({ rates: { messages: 2 } });
  const { url } = await scene.create({ scheme: "github", secret });
  const send = async (a: number, key = secret) => scene.post(url, `{"a":${a}}`, github(`{"a":${a}}`, "1", key));
  for (let n = 0; n < 3; n += 1) expect((await send(n, "wrong-wrong-wrong-wrong")).status).toBe(401);
  const allowed = await send(1);
  expect([allowed.status, (await send(2)).status]).toEqual([202, 202]);
  const over = await send(3);
  expect([over.status, Number(over.headers.get("retry-after")) > 0]).toEqual([429, true]);
  // The sender is a third party: the answer does not name the organization's limits.
  expect(over.json.detail).toBe(
    "the platform accepts no more events of this trigger now; wait for `Retry-After` seconds",
  );
  for (const { headers } of [allowed, over]) {
    expect([headers.get("ratelimit"), headers.get("ratelimit-policy")]).toEqual([null, null]);
  }
});

test("a secret that cannot be decrypted hides no other one, and is logged without it", async () => {
  const { id, url } = await scene.create({ scheme: "github", secret });
  const send = async (a: number) => (await scene.post(url, `{"a":${a}}`, github(`{"a":${a}}`))).status;
  await scene.api.db.pool.query(
    "update triggers set old_secret = '\\x00', old_secret_expires_at = clock_timestamp() + interval '1 hour'",
  );
  expect(await send(1)).toBe(202);
  expect(scene.api.log.filter(({ event }) => event === "trigger.secret_unopened")).toMatchObject([
    { level: "error", fields: { org: scene.api.org.organizationId, trigger_id: id } },
  ]);
  await scene.api.db.pool.query("update triggers set secret = '\\x00'");
  expect(await send(2)).toBe(503);
});

/** Sends headers as they are given, also twice. */
function rawPost(url: string, body: string, headers: string[]): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const length = ["host", new URL(url).host, "content-length", String(Buffer.byteLength(body))];
    const request = httpRequest(url, { method: "POST", headers: [...headers, ...length] }, (response) => {
      textOf(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
    });
    request.on("error", reject).end(body);
  });
}
