// Agents that ask models without the proxy, as a client does that knows nothing of it: they are metered, limited and
// get recorded answers as all others.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createBwrapDriver } from "@dari/sandbox";
import { findService } from "@dari/testkit";
import { deploy, ended, manifestFile, send, textOf } from "../src/conversation.ts";
import { noRemains, type Fleet } from "../src/fleet.ts";
import { counting, type CountingModel } from "../src/counting-model.ts";
import { begin, killWorkers, startCountingFleet, untilStored } from "./recorded-turns.ts";

const isIsolated = (await createBwrapDriver().probe()).ok;
const isolated = isIsolated ? test : test.skip;

let model: CountingModel;
let fleet: Fleet;

beforeAll(async () => {
  model = await counting();
  fleet = await startCountingFleet(model, {
    redisUrl: findService("redis")?.url,
    env: isIsolated ? { DARI_SANDBOX: "bwrap" } : {},
  });
}, 120_000);
afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  await model[Symbol.asyncDispose]();
}, 120_000);

/** `ask` names another host in its TLS if it is given one. `body`: that of the agent's function. */
const filesOf = (manifest: object, body: string) => ({
  ...manifestFile({
    ...{ sdk: "function", entrypoint: "agent.mjs:agent", secrets: ["OPENAI_API_KEY"] },
    ...manifest,
  }),
  "agent.mjs": `
import { lookup } from "node:dns/promises";
import { Agent, request } from "node:https";
import { connect } from "node:tls";
const [name, port] = "${model.openai}".split(":");
const headers = { authorization: \`Bearer \${process.env.OPENAI_API_KEY}\`, "content-type": "application/json" };
const isNamed = () => undefined;
class Direct extends Agent {
  createConnection({ address, servername }) {
    return connect({ host: address, port, servername, checkServerIdentity: isNamed });
  }
}
const ask = (address, messages, servername = name) =>
  new Promise((resolve, reject) => {
    const path = "/v1/chat/completions";
    const to = { host: name, port, path, method: "POST", headers, agent: new Direct(), address, servername };
    const sent = request(to, async (answer) => {
      let text = "";
      for await (const chunk of answer) text += chunk;
      resolve({ status: answer.statusCode, text });
    });
    sent.once("error", reject);
    sent.end(JSON.stringify({ model: "m", messages }));
  });
let known;
export async function agent(prompt) {
  ${body}
}`,
});

const loop = `
  const { address } = await lookup(name);
  const messages = [{ role: "user", content: prompt }];
  for (;;) {
    const { status, text } = await ask(address, messages, messages.length === 1 ? name : "other.example");
    if (status !== 200) continue;
    messages.push(JSON.parse(text).choices[0].message);
  }`;

isolated(
  "are metered, limited and get recorded answers, whatever name their TLS has",
  async () => {
    const retries = { record_answers: true, max_attempts: 20 };
    const { agentId } = await deploy(fleet, filesOf({ limits: { requests: 4 }, retries }, loop));
    const turn = "counted-direct";
    const held = model.hold(turn, 2, "during");
    const sent = await begin(fleet, agentId, turn);
    await held.reached;
    await untilStored(fleet, model, sent, 1);
    await killWorkers(fleet);
    held.release();
    const done = await ended(fleet, sent.record.id, 120_000);
    expect(done).toMatchObject({ status: "failed", output: { error: { code: "budget_exceeded" } } });
    expect(done.output?.error?.message).toContain("4 of 4 requests to models");
    // The recorded answer does not count. The request that was open does.
    expect(model.requests(turn).map(({ number }) => number)).toEqual([1, 2, 2, 3]);
    const { data } = await fleet.client.listModelRequests(sent.record.id);
    const seen = data.map(({ host, status, is_recorded: isRecorded }) => ({ host, status, isRecorded }));
    const asked = { host: model.openai, status: 200, isRecorded: false };
    expect(seen).toEqual([asked, expect.anything(), { ...asked, isRecorded: true }, asked, asked]);
  },
  300_000,
);

isolated(
  "reach their model in a kept sandbox by the address of an earlier turn",
  async () => {
    const body = `
  known ??= (await lookup(name)).address;
  const { status } = await ask(known, [{ role: "user", content: prompt }]);
  return [status, known, process.pid].join();`;
    const manifest = { runtime: { language: "typescript", reuse: "session" } };
    const { agentId } = await deploy(fleet, filesOf(manifest, body));
    const { id: session } = await fleet.client.createSession(agentId);
    const first = await send(fleet, session, "counted-kept-1");
    const second = await send(fleet, session, "counted-kept-2");
    expect(textOf(first)).toMatch(/^200,198\.18\./);
    expect(textOf(second)).toBe(textOf(first));
    for (const { id } of [first, second]) {
      const { data } = await fleet.client.listModelRequests(id);
      expect(data).toMatchObject([{ ordinal: 1, host: model.openai, status: 200, is_complete: true }]);
    }
  },
  120_000,
);
