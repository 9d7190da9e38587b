// Requests of agents to models are metered by the worker's proxy, whatever the agent says about its usage: with the
// numbers of the host's answers, for the turn that they were made for.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { ServerResponse } from "node:http";
import { modelPrices } from "@dari/db";
import { createBwrapDriver } from "@dari/sandbox";
import { waitUntil } from "@dari/testkit";
import { deploy, manifestFile, send } from "../src/conversation.ts";
import { noRemains, type Fleet } from "../src/fleet.ts";
import { startModelHosts, type ModelHosts } from "./model-hosts.ts";

const isIsolated = (await createBwrapDriver().probe()).ok;
const isolated = isIsolated ? test : test.skip;
const hosts = ["api.openai.com", "api.anthropic.com"];
const usage = { prompt_tokens: 1_117, completion_tokens: 46, prompt_tokens_details: { cached_tokens: 1_024 } };

let models: ModelHosts;
let stream: ServerResponse | undefined;
let fleet: Fleet;
let port: number;

const event = (data: object): string => `data: ${JSON.stringify(data)}\n\n`;

beforeAll(async () => {
  models = await startModelHosts(
    (request, response) => {
      request.resume();
      if (request.url === "/v1/messages") {
        response.writeHead(200, { "content-type": "text/event-stream" });
        const message = { model: "claude-opus-4-1-20250805", usage: { input_tokens: 10, output_tokens: 1 } };
        response.write(event({ type: "message_start", message }));
        stream = response;
        return;
      }
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ model: "gpt-4.1", choices: [{ finish_reason: "stop" }], usage }));
    },
    isIsolated ? { env: { DARI_SANDBOX: "bwrap" } } : {},
  );
  ({ fleet, port } = models);
}, 120_000);
afterAll(async () => {
  expect(await models.close()).toEqual(noRemains);
}, 120_000);

const agentFiles = (runtime: object, body: string) => ({
  ...manifestFile({
    entrypoint: "agent.mjs:agent",
    runtime: { language: "typescript", ...runtime },
    secrets: ["MODEL_KEY"],
  }),
  "agent.mjs": `
const headers = { authorization: \`Bearer \${process.env.MODEL_KEY}\` };
const ask = (url) => fetch(url, { method: "POST", headers, body: "{}" });
${body}`,
});

isolated("an agent that reports other numbers than the model", async () => {
  const { agentId } = await deploy(
    fleet,
    agentFiles(
      {},
      `export async function agent(prompt, context) {
  for (let at = 0; at < 2; at++) await (await ask("https://${hosts[0]}:${port}/v1/chat/completions")).json();
  await (await ask("https://${hosts[0]}:${port}/v1/embeddings")).json();
  context.reportUsage({ input_tokens: 1, output_tokens: 1 });
  return "done";
}`,
    ),
  );
  const amounts = { input: 2_000_000, cachedInput: 500_000, cacheWrite: null, output: 8_000_000 };
  await modelPrices.putPriceListIfBelow(fleet.db, "2026-01-01", [{ host: hosts[0]!, model: "gpt-4.1", ...amounts }], 1);
  const { id: session } = await fleet.client.createSession(agentId);
  const record = await send(fleet, session, "go");
  expect(record).toMatchObject({ status: "completed", output: { usage: { input_tokens: 1 } } });
  const { data } = await fleet.client.listModelRequests(record.id);
  const counted = {
    input_tokens: 1_117,
    cached_input_tokens: 1_024,
    output_tokens: 46,
    is_complete: true,
    cost_microusd: 1_066,
  };
  expect(data).toEqual(
    [1, 2].map((ordinal) =>
      expect.objectContaining({ ordinal, host: `${hosts[0]}:${port}`, format: "openai-chat", status: 200, ...counted }),
    ),
  );
  const { agents } = await fleet.client.getUsage();
  const metered = { metered_requests: 2, metered_tokens: 2_326, metered_cost_microusd: 2_132, unpriced_requests: 0 };
  expect(agents).toMatchObject([{ agent_id: agentId, tokens: 2, ...metered }]);
});

isolated("a request that a process begins in one turn and reads in the next one", async () => {
  const { agentId } = await deploy(
    fleet,
    agentFiles(
      { reuse: "session" },
      `let reader;
export async function agent(prompt) {
  if (reader === undefined) {
    reader = (await ask("https://${hosts[1]}:${port}/v1/messages")).body.getReader();
    await reader.read();
    return "begun";
  }
  while (!(await reader.read()).done);
  return "read";
}`,
    ),
  );
  const { id: session } = await fleet.client.createSession(agentId);
  const first = await send(fleet, session, "begin");
  const requestsOf = async (id: string) => (await fleet.client.listModelRequests(id)).data;
  const [begun] = await requestsOf(first.id);
  expect(begun).toMatchObject({ input_tokens: 10, output_tokens: 1, is_complete: false });
  await waitUntil(() => stream !== undefined, { what: "the stream" });
  stream!.write(event({ type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 30 } }));
  stream!.end(event({ type: "message_stop" }));
  const second = await send(fleet, session, "read");
  expect(second.output?.parts).toEqual([{ type: "text", text: "read" }]);
  const rest = { input_tokens: 0, output_tokens: 29, is_complete: true, finish_reason: "end_turn" };
  expect(await requestsOf(second.id)).toEqual([
    expect.objectContaining({ ordinal: 1, format: "anthropic-messages", ...rest }),
  ]);
  expect(await requestsOf(first.id)).toHaveLength(1);
});
