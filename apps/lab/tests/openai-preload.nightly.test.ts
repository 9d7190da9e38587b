// What forks of a template have loaded of openai-agents before their first run, with its published packages.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startOpenaiServer, waitUntil, type ModelServer } from "@dari/testkit";
import { deploy, manifestFile, send, textOf } from "../src/conversation.ts";
import { noRemains, type Fleet } from "../src/fleet.ts";
import { startFleetWith } from "../src/sdk-agents.ts";

const ready = "warm.template_ready";
let fleet: Fleet;
let server: ModelServer;

beforeAll(async () => {
  server = await startOpenaiServer(() => ({ text: "Rome" }));
  fleet = await startFleetWith([server], ["OPENAI_API_KEY"]);
}, 120_000);

afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  await server[Symbol.asyncDispose]();
}, 120_000);

const agent = `
import json, sys
from agents import Agent, Runner
from agents.tracing import setup
helper = Agent(name="Helper", instructions="Answer.")
async def agent(prompt):
    from openai import _models
    found = {
        "hasModules": "openai.resources.responses" in sys.modules,
        "hasTypes": _models._CachedTypeAdapter.cache_info().currsize > 0,
        "isTraced": setup.GLOBAL_TRACE_PROVIDER is not None,
    }
    result = await Runner.run(helper, prompt)
    return json.dumps({**found, "said": result.final_output})
`;

test("a fork of an agent with openai-agents has loaded what its first run needs", async () => {
  const manifest = {
    sdk: "openai-agents",
    entrypoint: "agent.py:agent",
    runtime: { language: "python" },
    secrets: ["OPENAI_API_KEY"],
    env: { OPENAI_BASE_URL: `${server.url}/v1`, OPENAI_AGENTS_DISABLE_TRACING: "1" },
  };
  const files = { "requirements.txt": "openai-agents==0.24.0\n", "agent.py": agent };
  const { agentId } = await deploy(fleet, { ...manifestFile(manifest), ...files });
  const countTemplates = (): number =>
    fleet.workers.flatMap((worker) => worker.readLog().split("\n")).filter((line) => line.includes(ready)).length;
  const known = countTemplates();
  const ask = async (): Promise<unknown> => {
    const { id } = await fleet.client.createSession(agentId);
    return JSON.parse(textOf(await send(fleet, id, "Where to?")));
  };
  expect(await ask()).toMatchObject({ said: "Rome" });
  await waitUntil(() => countTemplates() > known, { what: "the template", timeoutMs: 120_000 });
  const asked = server.requests.length;
  for (let i = 0; i < 3; i += 1) {
    expect(await ask()).toEqual({ hasModules: true, hasTypes: true, isTraced: false, said: "Rome" });
  }
  expect(server.requests.length - asked).toBe(3);
}, 400_000);
