// An agent whose dari.yml names its own host of models, and allows nothing else: what it reaches, what is metered and
// limited, and what the organization says about recording.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createBwrapDriver } from "@dari/sandbox";
import { deploy, manifestFile, send } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";

const isIsolated = (await createBwrapDriver().probe()).ok;
const isolated = isIsolated ? test : test.skip;
const usage = { prompt_tokens: 300, completion_tokens: 100 };
const answer = JSON.stringify({ model: "local-model", choices: [{ finish_reason: "stop" }], usage });

let fleet: Fleet;
let servers: Server[];
let [model, other]: [string, string] = ["", ""];
/** The paths that either server got. */
let seen: string[] = [];

async function serve(): Promise<Server> {
  const server = createServer((request, response) => {
    seen.push(request.url ?? "");
    request.resume();
    response.writeHead(200, { "content-type": "application/json" }).end(answer);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

beforeAll(async () => {
  servers = [await serve(), await serve()];
  [model, other] = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`) as [string, string];
  const isolation = isIsolated ? { DARI_SANDBOX: "bwrap" } : {};
  fleet = await startFleet({ env: { DARI_EGRESS_ALLOW: `${model},${other}`, ...isolation } });
}, 120_000);
afterAll(async () => {
  expect(await fleet.close()).toMatchObject({ ...noRemains, badEnds: expect.anything() });
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
}, 120_000);

async function play(manifest: object, body: string) {
  seen = [];
  const { agentId } = await deploy(fleet, {
    ...manifestFile({
      entrypoint: "agent.mjs:agent",
      runtime: { language: "typescript" },
      models: [{ host: model, scheme: "http", path: "/v1", format: "openai-chat" }],
      egress: "models-only",
      ...manifest,
    }),
    "agent.mjs": `
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
const chat = "http://${model}/v1/chat/completions";
const ask = async (url = chat) => (await fetch(url, { method: "POST", body: "{}" })).json();
/** By the proxy, also for addresses that clients reach without it. */
const askProxy = async (url) => {
  const { hostname: host, port } = new URL(process.env.HTTP_PROXY);
  const [answer] = await once(request({ host, port, path: url, method: "POST" }).end("{}"), "response");
  let text = "";
  for await (const chunk of answer) text += chunk;
  return [answer.statusCode, text];
};
const knock = (port, host) => once(connect(port, host), "connect").then(() => "connected", ({ code }) => code);
/** An address outside of the sandbox accepts before it resets. */
const talk = (port, host) => new Promise((resolve) => {
  const socket = connect(port, host, () => socket.write("GET / HTTP/1.0\\r\\n\\r\\n"));
  socket.once("data", () => resolve("answered")).once("error", ({ code }) => resolve(code));
  socket.once("end", () => resolve("ended"));
});
export async function agent() {
${body}
}`,
  });
  const { id: session } = await fleet.client.createSession(agentId);
  const record = await send(fleet, session, "go");
  const [logs, { data }] = [
    await fleet.client.getMessageLogs(record.id),
    await fleet.client.listModelRequests(record.id),
  ];
  return { record, logs, requests: data };
}

const textOf = ({ output }: Awaited<ReturnType<typeof play>>["record"]): unknown =>
  JSON.parse((output!.parts[0] as { text: string }).text);

isolated("its model is metered with and without the proxy, and nothing else is reached", async () => {
  const { record, logs, requests } = await play(
    {},
    `const [otherHost, otherPort] = "${other}".split(":");
  return JSON.stringify([
    await ask(),
    await askProxy(chat),
    await askProxy("http://${other}/steal"),
    await knock(Number(otherPort), otherHost),
    await talk(5432, "db.invalid"),
    await fetch("https://example.invalid/steal").then(() => "reached", () => "refused"),
  ]);`,
  );
  const reason = "egress: models-only";
  expect(textOf(record)).toEqual([
    JSON.parse(answer),
    [200, answer],
    [403, expect.stringContaining(reason)],
    "ECONNREFUSED",
    expect.stringMatching(/^(ECONNRESET|ENOTFOUND|EAI_AGAIN|ended)$/),
    "refused",
  ]);
  expect(seen).toEqual(Array(2).fill("/v1/chat/completions"));
  const counted = { host: model, format: "openai-chat", model: "local-model", input_tokens: 300, output_tokens: 100 };
  expect(requests).toEqual([1, 2].map((ordinal) => expect.objectContaining({ ...counted, ordinal, status: 200 })));
  for (const host of [other, "example.invalid:443"]) {
    expect(logs).toMatch(new RegExp(`egress: ${host} refused: .*${reason}`));
  }
});

isolated("a session without internet access does not reach its model either", async () => {
  const { agentId } = await deploy(fleet, {
    ...manifestFile({
      entrypoint: "agent.mjs:agent",
      models: [{ host: model, scheme: "http", format: "openai-chat" }],
      egress: "models-only",
    }),
    // By the proxy, also for an address that clients reach without it.
    "agent.mjs": `
import { once } from "node:events";
import { request } from "node:http";
export async function agent() {
  const { hostname: host, port } = new URL(process.env.HTTP_PROXY);
  const [answer] = await once(request({ host, port, path: "http://${model}/" }).end(), "response");
  return answer.statusCode === 403 ? "refused" : "reached";
}`,
  });
  const { id } = await fleet.client.createSession(agentId, { internet_access: false });
  const record = await send(fleet, id, "go");
  expect(record.output?.parts).toMatchObject([{ text: "refused" }]);
  expect(await fleet.client.getMessageLogs(record.id)).toContain("internet_access: false");
});

isolated("its limits stop it before its next request", async () => {
  const { record, requests } = await play({ limits: { requests: 2 } }, "for (;;) await ask();");
  expect(record).toMatchObject({
    status: "failed",
    output: { error: { code: "budget_exceeded", message: expect.stringContaining("2 of 2 requests to models") } },
  });
  expect([seen.length, requests.length]).toEqual([2, 2]);
});

isolated("an organization that never records wins over dari.yml, and the log says so", async () => {
  const retries = { record_answers: true };
  const ask = "await ask(); return 'done';";
  expect((await play({ retries }, ask)).logs).not.toContain("not recorded");
  await fleet.client.putAnswerRecording({ mode: "never" });
  const { record, logs, requests } = await play({ retries }, ask);
  expect([record.status, requests.length]).toEqual(["completed", 1]);
  expect(logs).toContain("[platform] answers of models are not recorded, and none recorded before are used");
  await fleet.client.putAnswerRecording({ mode: "allowed" });
});
