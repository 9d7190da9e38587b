// The GitHub bot and the Slack bot of the examples: a request in the service's form goes to a trigger, the agent
// answers, and a local server in the service's place gets the answer.

import { createHmac } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { CreateTriggerRequest } from "@dari/contract";
import { freePort } from "@dari/embedded";
import { deploy, ended, filesOf } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { checkout } from "../src/program.ts";

interface Recorded {
  readonly headers: Record<string, string>;
  readonly body: string;
}

interface VendorCall {
  readonly route: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
}

const port = await freePort();
const calls: VendorCall[] = [];
/** Answers as GitHub and Slack do, and keeps the comments that were posted. */
const vendor = createServer((request, response) => {
  void text(request).then((body) => {
    const parsed = (body === "" ? {} : JSON.parse(body)) as Record<string, unknown>;
    calls.push({ route: `${request.method} ${request.url}`, headers: request.headers, body: parsed });
    const comments = calls.filter((one) => one.route.startsWith("POST /repos/")).map((one) => one.body);
    const reply = request.url === "/chat.postMessage" ? { ok: true } : request.method === "GET" ? comments : parsed;
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(reply));
  });
});

let fleet: Fleet;
beforeAll(async () => {
  vendor.listen(port, "127.0.0.1");
  await once(vendor, "listening");
  fleet = await startFleet({ env: { DARI_EGRESS_ALLOW: `127.0.0.1:${port}` } });
}, 120_000);
afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  vendor.closeAllConnections();
  vendor.close();
}, 120_000);

const secret = "a-signing-secret-of-a-test";

function readExample(path: string): string {
  return readFileSync(join(checkout, "examples", path), "utf8");
}

/** Deploys an example that calls the local server instead of `host`, and returns the URL of its trigger. */
async function open(name: string, host: string): Promise<string> {
  const files = filesOf(join(checkout, "examples", name));
  const manifest = files["dari.yml"]!.replace(new RegExp(`https://${host}(/api)?`), `http://127.0.0.1:${port}`);
  const { agentId } = await deploy(fleet, { ...files, "dari.yml": manifest.replaceAll(host, `127.0.0.1:${port}`) });
  const body = JSON.parse(readExample(`${name}/trigger.json`)) as CreateTriggerRequest;
  const { url } = await fleet.client.createTrigger(agentId, { ...body, secret });
  return String(url);
}

async function send(url: string, { body, headers }: Recorded, signature: Record<string, string>) {
  const response = await fetch(url, { method: "POST", headers: { ...headers, ...signature }, body });
  return { status: response.status, receipt: (await response.json()) as Record<string, string> };
}

function hmac(content: string): string {
  return createHmac("sha256", secret).update(content).digest("hex");
}

test("the GitHub bot comments on a new issue, once", async () => {
  await fleet.client.putCredential("GITHUB_TOKEN", { value: "github-token-of-a-test" });
  const url = await open("github-bot", "api.github.com");
  const opened = JSON.parse(readExample("github-bot/requests/issue-opened.json")) as Recorded;
  const signature = { "x-hub-signature-256": `sha256=${hmac(opened.body)}` };
  expect((await send(url, opened, { "x-hub-signature-256": `sha256=${"0".repeat(64)}` })).status).toBe(401);
  const { status, receipt } = await send(url, opened, signature);
  expect([status, receipt["status"]]).toEqual([202, "accepted"]);
  const message = await ended(fleet, receipt["message_id"]!);
  expect(message).toMatchObject({
    status: "completed",
    output: { parts: [{ text: "Commented on octo-org/octo-repo#42." }] },
  });
  const [first] = message.parts;
  expect(first).toMatchObject({
    text: expect.stringContaining("octocat opened octo-org/octo-repo#42: The import fails"),
  });
  expect(first).toMatchObject({ text: expect.stringContaining("{{unexpected end}}") });
  const again = await send(url, opened, signature);
  expect([again.status, again.receipt["status"], again.receipt["message_id"]]).toEqual([200, "duplicate", message.id]);
  const closed = { ...opened, body: opened.body.replace('"opened"', '"closed"') };
  const ignored = await send(url, closed, { "x-hub-signature-256": `sha256=${hmac(closed.body)}` });
  expect([ignored.status, ignored.receipt["status"]]).toEqual([200, "ignored"]);
  const posted = calls.filter(({ route }) => route === "POST /repos/octo-org/octo-repo/issues/42/comments");
  expect(posted).toHaveLength(1);
  expect(posted[0]!.headers.authorization).toBe("Bearer github-token-of-a-test");
  expect(posted[0]!.body).toEqual({ body: expect.stringContaining("Thanks, @octocat. This looks like a bug report.") });
}, 240_000);

test("the Slack bot answers in the thread of a mention, and each thread is a session", async () => {
  await fleet.client.putCredential("SLACK_BOT_TOKEN", { value: "xoxb-token-of-a-test" });
  const url = await open("slack-bot", "slack.com");
  const sign = ({ body }: Recorded) => {
    const time = Math.floor(Date.now() / 1_000);
    return { "x-slack-request-timestamp": String(time), "x-slack-signature": `v0=${hmac(`v0:${time}:${body}`)}` };
  };
  const read = (name: string) => JSON.parse(readExample(`slack-bot/requests/${name}.json`)) as Recorded;
  const [verification, mention, reply] = [read("url-verification"), read("mention"), read("reply")];
  const verified = await send(url, verification, sign(verification));
  expect([verified.status, verified.receipt]).toEqual([200, { challenge: JSON.parse(verification.body).challenge }]);
  const first = await send(url, mention, sign(mention));
  await ended(fleet, first.receipt["message_id"]!);
  const retry = { ...sign(mention), "x-slack-retry-num": "1", "x-slack-retry-reason": "http_timeout" };
  const retried = await send(url, mention, retry);
  expect([first.status, retried.status, retried.receipt["status"]]).toEqual([202, 200, "duplicate"]);
  const second = await send(url, reply, sign(reply));
  expect(second.receipt["session_id"]).toBe(first.receipt["session_id"]);
  await ended(fleet, second.receipt["message_id"]!);
  const posted = calls.filter(({ route }) => route === "POST /chat.postMessage");
  expect(posted.map(({ body }) => body)).toEqual([
    {
      channel: "C0LAN2Q65",
      thread_ts: "1515449522.000016",
      text: "<@U061F7AUR> You said: What is the hour of the pearl, ?",
    },
    {
      channel: "C0LAN2Q65",
      thread_ts: "1515449522.000016",
      text: "<@U061F7AUR> You said: And the day? (turn 2 of this thread)",
    },
  ]);
  expect(posted[0]!.headers.authorization).toBe("Bearer xoxb-token-of-a-test");
}, 240_000);
