// Limits of a message stop its agent before the next request to a model, also if the agent hides what it uses, asks
// many times at once, or loses its worker.

import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { ServerResponse } from "node:http";
import { modelPrices } from "@dari/db";
import { createBwrapDriver } from "@dari/sandbox";
import { waitUntil } from "@dari/testkit";
import { deploy, manifestFile, send } from "../src/conversation.ts";
import { noRemains, type Fleet } from "../src/fleet.ts";
import { startModelHosts, type ModelHosts } from "./model-hosts.ts";

const isIsolated = (await createBwrapDriver().probe()).ok;
const isolated = isIsolated ? test : test.skip;

let models: ModelHosts;
let fleet: Fleet;
/** The bodies that the host got. */
let saw: string[];
/** What the host answers; undefined: nothing. */
let answer: string | undefined;
let unanswered: ServerResponse[];

const usage = { prompt_tokens: 300, completion_tokens: 100 };

beforeAll(async () => {
  const isolation = isIsolated ? { DARI_SANDBOX: "bwrap" } : {};
  models = await startModelHosts(
    async (request, response) => {
      let body = "";
      for await (const chunk of request) body += String(chunk);
      saw.push(body);
      if (answer === undefined) return void unanswered.push(response);
      response.writeHead(200, { "content-type": "application/json" }).end(answer);
    },
    { env: { ...isolation, DARI_WORKER_SLOTS: "1" } },
  );
  ({ fleet } = models);
  const amounts = { input: 2_000_000, cachedInput: 500_000, cacheWrite: null, output: 8_000_000 };
  const price = { host: "api.openai.com", model: "gpt-4.1", ...amounts };
  await modelPrices.putPriceListIfBelow(fleet.db, "2026-01-01", [price], 1);
}, 120_000);
beforeEach(() => {
  [saw, unanswered] = [[], []];
  answer = JSON.stringify({ model: "gpt-4.1", choices: [{ finish_reason: "stop" }], usage });
});
afterAll(async () => {
  expect(await models.close()).toMatchObject({ ...noRemains, badEnds: expect.anything() });
}, 120_000);

async function sessionOf(manifest: object, body: string): Promise<string> {
  const { agentId } = await deploy(fleet, {
    ...manifestFile({
      entrypoint: "agent.mjs:agent",
      runtime: { language: "typescript" },
      secrets: ["MODEL_KEY"],
      ...manifest,
    }),
    "agent.mjs": `
const headers = { authorization: \`Bearer \${process.env.MODEL_KEY}\`, "content-type": "application/json" };
const ask = async (body) => {
  const url = "https://api.openai.com:${models.port}/v1/chat/completions";
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: answer.status, body: await answer.json() };
};
export async function agent(prompt, context) {
${body}
}`,
  });
  return (await fleet.client.createSession(agentId)).id;
}

/** An agent that returns before it is stopped has completed, so one that is to be stopped asks on. */
const loop = "for (;;) await ask({ max_tokens: 200 });";
const budgetExceeded = (text: string) => ({
  status: "failed",
  output: { error: { code: "budget_exceeded", message: expect.stringContaining(text) } },
});

isolated("an agent that asks for ever ends at its limit of requests, and is not tried again", async () => {
  const session = await sessionOf({ limits: { requests: 3 }, retries: { max_attempts: 3 } }, loop);
  const record = await send(fleet, session, "go");
  expect(record).toMatchObject({ ...budgetExceeded("3 of 3 requests to models"), attempt: 1 });
  expect(saw).toHaveLength(3);
  const { data } = await fleet.client.listModelRequests(record.id);
  expect(data.map(({ ordinal, is_complete: isComplete }) => [ordinal, isComplete])).toEqual([
    [1, true],
    [2, true],
    [3, true],
  ]);
});

isolated("a limit of the request is lower than that of dari.yml, but never higher", async () => {
  const session = await sessionOf({ limits: { requests: 3 } }, loop);
  const lower = await fleet.client.send(session, "go", { limits: { requests: 1 } });
  expect(lower).toMatchObject({ ...budgetExceeded("1 of 1 requests"), limits: { requests: 1 } });
  expect(await fleet.client.send(session, "go", { limits: { requests: 9 } })).toMatchObject(budgetExceeded("3 of 3"));
  expect(saw).toHaveLength(4);
});

isolated("ten requests at once stay within the tokens, whatever the agent reports", async () => {
  const session = await sessionOf(
    { limits: { tokens: 4_500 } },
    `context.reportUsage({ input_tokens: 1, output_tokens: 1 });
  await Promise.all(Array.from({ length: 10 }, () => ask({ max_tokens: 200 })));
  ${loop}`,
  );
  // Each can use 1,218 tokens and uses 400: the last ones no longer fit.
  const record = await send(fleet, session, "go");
  expect(record).toMatchObject(budgetExceeded("of the message's 4,500 tokens are used or reserved"));
  expect(saw.length).toBe(9);
  const { data } = await fleet.client.listModelRequests(record.id);
  const used = data.reduce((sum, row) => sum + (row.input_tokens ?? 0) + (row.output_tokens ?? 0), 0);
  expect(used).toBeLessThanOrEqual(4_500);
});

isolated("a request without a maximum goes out alone, and may be the last", async () => {
  const session = await sessionOf(
    { limits: { tokens: 500 } },
    `await Promise.all(Array.from({ length: 3 }, () => ask({})));
  ${loop}`,
  );
  // The first uses 400 tokens, and the second one 300 more than are left.
  expect(await send(fleet, session, "go")).toMatchObject(budgetExceeded("800 of the message's 500 tokens"));
  expect(saw).toHaveLength(2);
});

isolated("an agent that hides its maximum cannot use more", async () => {
  const session = await sessionOf(
    { limits: { tokens: 3_000 } },
    `const url = "https://api.openai.com:${models.port}/v1/chat/completions";
  const send = (body) => fetch(url, { method: "POST", headers, body });
  await (await send('{"max_tokens": 900, "max_tokens": 1}')).text();
  await (await send('{"max_tokens": 2500, "max\\\\u005ftokens": 1}')).text();
  for (;;) await (await send('{"max_tokens": 1}')).text();`,
  );
  expect(await send(fleet, session, "go")).toMatchObject(budgetExceeded("can use up to 3,5"));
  expect(saw).toHaveLength(1);
});

const priced = 'for (;;) await ask({ model: "gpt-4.1", max_tokens: 200 });';

isolated("ten requests at once stay within the cost", async () => {
  const session = await sessionOf(
    { limits: { cost_usd: 5 } },
    `await Promise.all(Array.from({ length: 10 }, () => ask({ model: "gpt-4.1", max_tokens: 200 })));
  ${priced}`,
  );
  // Each can cost 3,672 micro-dollars and costs 1,400.
  const record = await fleet.client.send(session, "go", { limits: { cost_usd: 0.01 } });
  expect(record).toMatchObject(budgetExceeded("$0.007 of the message's $0.01 are used or reserved, and this request"));
  expect(saw).toHaveLength(5);
  const { data } = await fleet.client.listModelRequests(record.id);
  expect(data.map((row) => [row.cost_microusd, row.reserved_cost_microusd])).toEqual(Array(5).fill([1_400, 3_672]));
});

isolated("a model without a price is not asked, and one of two names is not believed", async () => {
  const unpriced = await sessionOf(
    { limits: { cost_usd: 5 } },
    'for (;;) await ask({ model: "o1-pro", max_tokens: 1 });',
  );
  expect(await send(fleet, unpriced, "go")).toMatchObject(budgetExceeded("the model o1-pro of api.openai.com"));
  expect(saw).toEqual([]);
  const lying = await sessionOf(
    { limits: { cost_usd: 5 } },
    `const url = "https://api.openai.com:${models.port}/v1/chat/completions";
  const send = (body) => fetch(url, { method: "POST", headers, body });
  await (await send('{"model": "o1-pro", "max_tokens": 1, "model": "gpt-4.1"}')).text();
  return "done";`,
  );
  const record = await send(fleet, lying, "go");
  expect(record).toMatchObject({ status: "completed" });
  const { data } = await fleet.client.listModelRequests(record.id);
  expect(data).toMatchObject([{ cost_microusd: 1_400, reserved_cost_microusd: 5_000_000 }]);
});

isolated.each<[name: string, limits: object, agent: string, text: string]>([
  ["tokens", { tokens: 3_000 }, loop, "(1,218 by requests whose use is not known"],
  ["cost", { cost_usd: 0.01 }, priced, "($0.003672 by requests whose cost is not known"],
])("an attempt whose worker is killed counts the %s that it has reserved", async (_name, limits, agent, text) => {
  answer = undefined;
  const session = await sessionOf({ limits, retries: { max_attempts: 2 } }, agent);
  const sent = await fleet.client.sendMessageAsync(session, { parts: [{ type: "text", text: "go" }] });
  await waitUntil(() => saw.length === 1, { what: "the request of the first attempt" });
  await fleet.workers.at(-1)!.kill();
  await fleet.startWorker();
  await waitUntil(() => saw.length === 2, { what: "the request of the second attempt", timeoutMs: 60_000 });
  answer = JSON.stringify({ model: "gpt-4.1", choices: [{ finish_reason: "stop" }], usage });
  for (const response of unanswered) response.end(answer);
  const record = await fleet.client.waitForMessage(sent.id);
  expect(record).toMatchObject({ ...budgetExceeded(text), attempt: 2 });
  expect(record.output?.error?.message).toContain("are used or reserved");
});
