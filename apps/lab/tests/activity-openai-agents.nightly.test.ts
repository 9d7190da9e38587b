// What an `Agent` of OpenAI's SDK does, in both languages: the session's events are the SDK's own record, call for
// call, with reasoning, parallel calls, a failing tool, an MCP server, a refused approval and a handoff.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startOpenaiServer, waitUntil, type ModelReply, type ModelRequest, type ModelServer } from "@dari/testkit";
import { activityOf, dataOf } from "../src/activity.ts";
import { deploy, ended, manifestFile, post, send, textOf } from "../src/conversation.ts";
import { noRemains, type Fleet } from "../src/fleet.ts";
import { pixel, startFleetWith } from "../src/sdk-agents.ts";
import { nodeServer, pythonServer } from "../src/sdk-shapes.ts";
import { expectEchoed, expectPicture, leak, leaked, leakedName, seeTurn } from "./activity-cases.ts";

let fleet: Fleet;
let server: ModelServer;
let env: Record<string, string>;
const secret = "sk-of-a-test";

beforeAll(async () => {
  server = await startOpenaiServer(() => ({ text: "unscripted" }));
  fleet = await startFleetWith([server], ["OPENAI_API_KEY"]);
  await fleet.client.putCredential(leakedName, { value: leaked });
  env = { OPENAI_BASE_URL: `${server.url}/v1`, OPENAI_AGENTS_DISABLE_TRACING: "1" };
}, 120_000);

afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  await server[Symbol.asyncDispose]();
}, 120_000);

const typescript = {
  "package.json": JSON.stringify({ type: "module", dependencies: { "@openai/agents": "0.20.0", zod: "4.6.7" } }),
  "src/server.mjs": nodeServer,
  "src/agent.ts": `import { Agent, MCPServerStdio, run, tool } from "@openai/agents";
    import { fileURLToPath } from "node:url";
    import { z } from "zod";
    const pair = z.object({ a: z.number(), b: z.number() });
    const add = tool({ name: "add", description: "x", parameters: pair, execute: ({ a, b }) => String(a + b) });
    const divide = tool({ name: "divide", description: "x", parameters: pair, execute: () => {
      throw new RangeError(\`division by zero with \${process.env["LEAKED_TOKEN"]}\`);
    } });
    const pay = tool({ name: "pay", description: "x", parameters: z.object({}), needsApproval: true,
      execute: () => "paid" });
    const echo = tool({ name: "echo", description: "x", parameters: z.object({ text: z.string() }),
      execute: ({ text }) => text });
    const draw = tool({ name: "draw", description: "x", parameters: z.object({}),
      execute: () => ({ type: "image", image: "data:image/png;base64,${pixel}" }) });
    const args = [fileURLToPath(new URL("./server.mjs", import.meta.url))];
    const atlas = new MCPServerStdio({ name: "atlas", command: process.execPath, args });
    const historian = new Agent({ name: "Historian", instructions: "Tell." });
    export const agent = new Agent({ name: "Planner", model: "gpt-4.1", instructions: "Plan.",
      tools: [add, divide, pay, echo, draw], mcpServers: [atlas], handoffs: [historian] });
    const count = new Agent({ name: "Counter", model: "gpt-4.1-mini", instructions: "You count.", tools: [add] });
    const lead = agent.clone({ tools: [divide, count.asTool({ toolName: "count", toolDescription: "x" })],
      mcpServers: [] });
    export const own = async (prompt: string) => (await run(lead, prompt)).finalOutput;`,
};

const python = {
  "requirements.txt": "openai-agents==0.24.0\n",
  "server.py": pythonServer,
  "agent.py": `
import os
import sys
from pathlib import Path
from agents import Agent, OpenAIChatCompletionsModel, ToolOutputImage, function_tool
from agents.mcp import MCPServerStdio
from openai import AsyncOpenAI

@function_tool
def add(a: float, b: float) -> str:
    return f"{a + b:g}"

@function_tool
def divide(a: float, b: float) -> str:
    raise ZeroDivisionError("division by zero with " + os.environ["LEAKED_TOKEN"])

@function_tool(needs_approval=True)
def pay() -> str:
    return "paid"

@function_tool
def echo(text: str) -> str:
    return text

@function_tool
def draw() -> ToolOutputImage:
    return ToolOutputImage(image_url="data:image/png;base64,${pixel}")

args = [str(Path(__file__).parent / "server.py")]
atlas = MCPServerStdio(name="atlas", params={"command": sys.executable, "args": args})
historian = Agent(name="Historian", instructions="Tell.")
agent = Agent(name="Planner", model="gpt-4.1", instructions="Plan.", mcp_servers=[atlas], handoffs=[historian],
    tools=[add, divide, pay, echo, draw])
count = Agent(name="Counter", model="gpt-4.1-mini", instructions="You count.", tools=[add])
lead = agent.clone(tools=[divide, count.as_tool("count", "x")], mcp_servers=[])
chat = Agent(name="Chatter", model=OpenAIChatCompletionsModel("gpt-4.1", AsyncOpenAI()), tools=[add])
`,
};

const usage = { inputTokens: 20, outputTokens: 9, cachedInputTokens: 4, reasoningTokens: 3 };
const wire = { input_tokens: 20, cached_input_tokens: 4, output_tokens: 9, reasoning_tokens: 3 };
const outputs = ({ text }: ModelRequest): number => text.split('"function_call_output"').length - 1;

/** Calls five tools at once, hands over, and answers. */
const handsOver =
  (handoff: string) =>
  (request: ModelRequest): ModelReply => {
    if (outputs(request) === 0) {
      const toolCalls = [
        { name: "add", arguments: { a: 1, b: 2 } },
        { name: "divide", arguments: { a: 1, b: 0 } },
        { name: "lookup", arguments: {} },
        { name: "echo", arguments: leak },
        { name: "draw", arguments: {} },
      ];
      return { reasoning: `I think of ${secret}`, text: "Let me see.", toolCalls, usage };
    }
    if (outputs(request) === 5) return { toolCalls: [{ name: handoff, arguments: {} }], usage };
    return { text: "Rome", usage };
  };

/** An approval that a person refuses. */
const pays = (request: ModelRequest): ModelReply =>
  outputs(request) === 0 ? { toolCalls: [{ name: "pay", arguments: {} }], usage } : { text: "Not paid", usage };

const agents = [
  { language: "typescript", version: "22", entrypoint: "src/agent.ts:agent", files: typescript, to: "Historian" },
  { language: "python", version: "3.11", entrypoint: "agent.py:agent", files: python, to: "historian" },
];

test.each(agents)(
  "in $language, the events are the SDK's record",
  async ({ language, version, entrypoint, files, to }) => {
    const secrets = ["OPENAI_API_KEY", leakedName];
    const manifest = { sdk: "openai-agents", entrypoint, runtime: { language, version }, secrets, env };
    const { agentId } = await deploy(fleet, { ...manifestFile(manifest), ...files });
    const { id: session } = await fleet.client.createSession(agentId);
    server.play(handsOver(`transfer_to_${to}`));
    const { record, events } = await seeTurn(fleet, session, "Where to?");
    expect(textOf(record)).toBe("Rome");

    const types = events.map(({ type }) => type.replace("tool.call_", ""));
    expect(types.slice(0, 4)).toEqual([
      "model.request_started",
      "model.request_completed",
      "reasoning.completed",
      "assistant.message",
    ]);
    // The calls run at the same time and end in any order.
    expect(types.slice(4, 14)).toEqual([...Array(5).fill("requested"), ...Array(5).fill("completed")]);
    expect(types.slice(14)).toEqual([
      "model.request_started",
      "model.request_completed",
      "agent.handoff",
      "model.request_started",
      "model.request_completed",
    ]);
    const requests = dataOf(events, "model.request_completed");
    const duration_ms = expect.any(Number);
    const asked = (ordinal: number, agent: string) => ({ ordinal, agent, usage: wire, duration_ms });
    expect(requests).toMatchObject([
      { ...asked(1, "Planner"), model: "gpt-4.1" },
      asked(2, "Planner"),
      asked(3, "Historian"),
    ]);
    expect(dataOf(events, "reasoning.completed")).toMatchObject([{ text: "I think of [redacted:OPENAI_API_KEY]" }]);
    expect(dataOf(events, "assistant.message")).toEqual([{ text: "Let me see.", agent: "Planner" }]);
    expect(dataOf(events, "agent.handoff")).toEqual([{ from_agent: "Planner", to_agent: "Historian" }]);

    const items = server.requests.at(-1)?.body["input"] as Record<string, unknown>[];
    const called = items.filter((item) => item["type"] === "function_call" && item["name"] !== `transfer_to_${to}`);
    const requested = dataOf(events, "tool.call_requested");
    expect(requested).toEqual(
      called.map(({ call_id, name, arguments: given }) => {
        const kind = name === "lookup" ? { kind: "mcp", server: "atlas" } : { kind: "function" };
        const shown = name === "echo" ? expect.anything() : JSON.parse(String(given));
        return { call_id, name, arguments: shown, agent: "Planner", ...kind };
      }),
    );
    const results = new Map(dataOf(events, "tool.call_completed").map((one) => [one["name"], one]));
    const done = { duration_ms, agent: "Planner" };
    expect(results.get("add")).toMatchObject({ ...done, result: "3", is_error: false });
    // The model gets what the SDK says, clients and the log the real error.
    const failure = expect.stringMatching(/^An error occurred while running the tool/);
    expect(results.get("divide")).toMatchObject({ ...done, result: failure, is_error: true });
    for (const text of [String(results.get("divide")?.["error"]), await fleet.client.getMessageLogs(record.id)]) {
      // A line of the platform's can be in the middle of a log line.
      expect(text).toMatch(/division by zero with [^]*\[redacted:LEAKED_TOKEN\]/);
      expect(text).toMatch(/at .*agent\.ts:\d+:\d+|File ".*agent\.py", line \d+, in divide/);
      expect(text).not.toContain(leaked);
    }
    expect(results.get("add")).not.toHaveProperty("error");
    expect(results.get("lookup")).toMatchObject({ ...done, is_error: false });
    expect(JSON.stringify(results.get("lookup"))).toContain("found it");
    for (const { call_id, output } of items.filter((item) => item["type"] === "function_call_output").slice(0, 5)) {
      const recorded = [...results.values()].find((one) => one["call_id"] === call_id);
      if (typeof output === "string" && recorded?.["name"] !== "echo") expect(recorded?.["result"]).toBe(output);
    }
    expectEchoed(
      requested.find(({ name }) => name === "echo"),
      results.get("echo"),
    );
    await expectPicture(fleet, record.id, results.get("draw"));
    const shown = JSON.stringify((await fleet.client.getTranscript(session)).data);
    for (const text of ["tool.call_requested", "Let me see.", "agent.handoff"]) expect(shown).toContain(text);
    expect(shown).not.toContain(secret);

    // A call that waits for a person belongs to the attempt that asked, its result to the one with the answer.
    server.play(pays);
    const { id: fork } = await fleet.client.createSession(agentId);
    const waiting = await post(fleet, fork, "Pay");
    const input = await waitUntil(async () => (await fleet.client.getMessage(waiting.id)).inputs?.[0], {
      what: "the approval",
      timeoutMs: 60_000,
    });
    await fleet.client.answerInput(waiting.id, { key: input.key, value: { approved: false } });
    expect(textOf(await ended(fleet, waiting.id))).toBe("Not paid");
    const paid = await activityOf(fleet, fork, waiting.id);
    expect(paid.map(({ type }) => type)).toEqual([
      "model.request_started",
      "model.request_completed",
      "tool.call_requested",
      "tool.call_completed",
      "model.request_started",
      "model.request_completed",
    ]);
    expect(new Set(paid.map((event) => event.attempt_id)).size).toBe(2);
    const [askedFor] = dataOf(paid, "tool.call_requested");
    expect(dataOf(paid, "tool.call_completed")).toMatchObject([{ call_id: askedFor?.["call_id"], name: "pay" }]);

    // A refusal by the model is the request's error.
    server.play(() => ({ error: { status: 400, type: "invalid_request_error", message: "the model is away" } }));
    const failed = await send(fleet, session, "Again");
    expect(failed.status).toBe("failed");
    expect(dataOf(await activityOf(fleet, session, failed.id), "model.request_completed")).toMatchObject([
      { ordinal: 1, error: expect.stringContaining("the model is away") },
    ]);
  },
  400_000,
);

test.each(agents)(
  "in $language, a run asks up to run.max_turns times",
  async (agent) => {
    const { language, version, entrypoint, files } = agent;
    const runtime = { language, version };
    const secrets = ["OPENAI_API_KEY", leakedName];
    const add = { toolCalls: [{ name: "add", arguments: { a: 1, b: 2 } }] };
    const endsAfter = (requests: number) => (request: ModelRequest) =>
      outputs(request) < requests - 1 ? add : { text: "Done" };
    const manifest = { sdk: "openai-agents", entrypoint, runtime, secrets, env };
    const { agentId } = await deploy(fleet, { ...manifestFile(manifest), ...files });
    const { id: session } = await fleet.client.createSession(agentId);
    // The SDK's own default is 10.
    server.play(endsAfter(15));
    expect(textOf(await send(fleet, session, "Count"))).toBe("Done");

    const limited = await deploy(fleet, { ...manifestFile({ ...manifest, run: { max_turns: 3 } }), ...files });
    const { id: short } = await fleet.client.createSession(limited.agentId);
    server.play(endsAfter(4));
    const message = /^MaxTurnsExceeded\w*: Max turns \(3\) exceeded; raise run\.max_turns in dari\.yml$/;
    expect((await send(fleet, short, "Count")).output?.error).toMatchObject({
      code: "agent_error",
      message: expect.stringMatching(message),
    });
    const { id: enough } = await fleet.client.createSession(limited.agentId);
    server.play(endsAfter(3));
    expect(textOf(await send(fleet, enough, "Count"))).toBe("Done");
  },
  400_000,
);

test("the runs that a function starts itself are recorded, with agents that are tools", async () => {
  const manifest = { entrypoint: "src/agent.ts:own", runtime: { version: "22" }, secrets: ["OPENAI_API_KEY"], env };
  const { agentId } = await deploy(fleet, { ...manifestFile(manifest), ...typescript });
  const { id: session } = await fleet.client.createSession(agentId);
  server.play((request) => {
    const isDone = outputs(request) > 0;
    if (request.text.includes("You count")) {
      return isDone ? { text: "three" } : { toolCalls: [{ name: "add", arguments: { a: 1, b: 2 } }] };
    }
    const calls = [
      { name: "count", arguments: { input: "all" } },
      { name: "divide", arguments: { a: 1, b: 0 } },
    ];
    return isDone ? { text: "Three" } : { text: "Let me see.", toolCalls: calls, usage };
  });
  const record = await send(fleet, session, "How many?");
  expect(textOf(record)).toBe("Three");
  const events = await activityOf(fleet, session, record.id);
  const requested = dataOf(events, "tool.call_requested");
  expect(requested.map(({ name }) => name)).toEqual(["count", "divide", "add"]);
  const parent_call_id = requested[0]?.["call_id"];
  const of = { agent: "Counter", parent_call_id };
  expect(requested[2]).toMatchObject({ ...of, arguments: { a: 1, b: 2 } });
  const results = new Map(dataOf(events, "tool.call_completed").map((one) => [one["name"], one]));
  expect(results.get("add")).toMatchObject({ ...of, result: "3", is_error: false });
  expect(results.get("count")).toMatchObject({ call_id: parent_call_id, agent: "Planner", result: "three" });
  expect(results.get("divide")).toMatchObject({ agent: "Planner", is_error: true });
  expect(dataOf(events, "subagent.started")).toEqual([{ name: "Counter", parent_call_id }]);
  expect(dataOf(events, "subagent.completed")).toMatchObject([{ name: "Counter", parent_call_id, is_error: false }]);
  expect(dataOf(events, "assistant.message")).toEqual([{ text: "Let me see.", agent: "Planner" }]);
  const asked = { provider: "openai", finish_reason: "completed" };
  expect(dataOf(events, "model.request_completed")).toMatchObject([
    { ...asked, ordinal: 1, agent: "Planner", model: "gpt-4.1", usage: wire },
    { ...asked, ordinal: 2, ...of, model: "gpt-4.1-mini" },
    { ...asked, ordinal: 3, ...of },
    { ...asked, ordinal: 4, agent: "Planner" },
  ]);
}, 400_000);

test("in python, what the models write is shown, and an agent that is a tool is a subagent", async () => {
  const manifest = {
    sdk: "openai-agents",
    entrypoint: "agent.py:lead",
    runtime: { language: "python", version: "3.11" },
    env,
  };
  const { agentId } = await deploy(fleet, {
    ...manifestFile({ ...manifest, secrets: ["OPENAI_API_KEY"] }),
    ...python,
  });
  const { id: session } = await fleet.client.createSession(agentId);
  server.play((request) => {
    const isDone = outputs(request) > 0;
    if (request.text.includes("You count")) {
      return isDone ? { text: "three" } : { toolCalls: [{ name: "add", arguments: { a: 1, b: 2 } }] };
    }
    const toolCalls = [
      { name: "count", arguments: { input: secret } },
      { name: "divide", arguments: { a: 1, b: 0 } },
    ];
    return isDone ? { text: "Three" } : { reasoning: `I have ${secret} here`, text: "Let me see.", toolCalls, usage };
  });
  const { id } = await post(fleet, session, "How many?");
  const shown: [type: string, data: unknown][] = [];
  for await (const event of fleet.client.streamMessage(id)) {
    if (!("sequence_number" in event) && event.type !== "log") shown.push([event.type, event.data]);
  }
  const events = await activityOf(fleet, session, id);
  const requested = dataOf(events, "tool.call_requested");
  expect(requested.map(({ name }) => name)).toEqual(["count", "divide", "add"]);
  const [count, divide] = requested.map(({ call_id, name }) => ({ call_id, name }));
  expect(shown).toEqual([
    ["reasoning.delta", { ordinal: 1, text: "I have [redacted:OPENAI_API_KEY] here" }],
    ["assistant.text_delta", { ordinal: 1, text: "Let me see.", offset: 0 }],
    ["tool.arguments_delta", { ...count, text: '{"input":"[redacted:OPENAI_API_KEY]"}' }],
    ["tool.arguments_delta", { ...divide, text: '{"a":1,"b":0}' }],
    ["assistant.text_delta", { ordinal: 4, text: "Three", offset: 11 }],
  ]);
  const parent_call_id = count?.call_id;
  const of = { agent: "Counter", parent_call_id };
  expect(requested[2]).toMatchObject({ ...of, arguments: { a: 1, b: 2 } });
  const results = new Map(dataOf(events, "tool.call_completed").map((one) => [one["name"], one]));
  expect(results.get("add")).toMatchObject({ ...of, result: "3", is_error: false });
  expect(results.get("count")).toMatchObject({ ...count, agent: "Planner", result: "three" });
  expect(dataOf(events, "subagent.started")).toEqual([{ name: "Counter", parent_call_id }]);
  expect(dataOf(events, "subagent.completed")).toMatchObject([{ name: "Counter", parent_call_id, is_error: false }]);
  const asked = { provider: "openai", agent: "Planner", finish_reason: "completed" };
  expect(dataOf(events, "model.request_completed")).toMatchObject([
    { ...asked, ordinal: 1, usage: wire },
    { provider: "openai", ordinal: 2, ...of, model: "gpt-4.1-mini" },
    { ordinal: 3, ...of },
    { ...asked, ordinal: 4 },
  ]);
}, 400_000);

test("in python, requests of Chat Completions say why they ended", async () => {
  const runtime = { language: "python", version: "3.11" };
  const manifest = { sdk: "openai-agents", entrypoint: "agent.py:chat", runtime, secrets: ["OPENAI_API_KEY"], env };
  const { agentId } = await deploy(fleet, { ...manifestFile(manifest), ...python });
  const { id: session } = await fleet.client.createSession(agentId);
  const add = { name: "add", arguments: { a: 1, b: 2 } };
  server.play(({ text }) => (text.includes('"role":"tool"') ? { text: "Three" } : { toolCalls: [add] }));
  const { record, events } = await seeTurn(fleet, session, "How many?");
  expect(textOf(record)).toBe("Three");
  const asked = { provider: "openai", model: "gpt-4.1", agent: "Chatter" };
  expect(dataOf(events, "model.request_completed")).toMatchObject([
    { ...asked, finish_reason: "tool_calls" },
    { ...asked, finish_reason: "stop" },
  ]);
}, 400_000);
