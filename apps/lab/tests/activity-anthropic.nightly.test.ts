// What sessions of Anthropic's SDK, in both languages, and of pi do: the session's events are the SDK's own record,
// call for call, with reasoning, parallel calls, a failing tool, an MCP server, todos and a subagent.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startAnthropicServer, type ModelReply, type ModelRequest, type ModelServer } from "@dari/testkit";
import { dataOf, shownArguments, type Shown, type Told } from "../src/activity.ts";
import { deploy, manifestFile, textOf } from "../src/conversation.ts";
import { noRemains, type Fleet } from "../src/fleet.ts";
import { pixel, startFleetWith } from "../src/sdk-agents.ts";
import { expectEchoed, expectPicture, leak, leaked, leakedName, seeTurn } from "./activity-cases.ts";

let fleet: Fleet;
let server: ModelServer;
let env: Record<string, string>;

beforeAll(async () => {
  server = await startAnthropicServer(() => ({ text: "unscripted" }));
  fleet = await startFleetWith([server], ["ANTHROPIC_API_KEY"]);
  await fleet.client.putCredential(leakedName, { value: leaked });
  env = { ANTHROPIC_BASE_URL: server.url, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1" };
}, 120_000);

afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  await server[Symbol.asyncDispose]();
}, 120_000);

const lead = "You are the lead.";
const usage = { inputTokens: 20, outputTokens: 9, cachedInputTokens: 4 };
const wire = { input_tokens: 24, cached_input_tokens: 4, output_tokens: 9 };
const ownTools = ["lookup", "echo", "draw"].map((name) => `mcp__atlas__${name}`);
const allowed = ["Write", "Read", "TodoWrite", "TaskCreate", "Agent", "Task", ...ownTools];
const picture = JSON.stringify({ type: "image", data: pixel, mimeType: "image/png" });

interface Block {
  readonly type: string;
  readonly id?: string;
  readonly name?: string;
  readonly input?: unknown;
  readonly tool_use_id?: string;
  readonly is_error?: boolean;
}

/** The blocks of a request's conversation. */
function blocksOf(request: ModelRequest | undefined): Block[] {
  const messages = (request?.body["messages"] ?? []) as { content: string | Block[] }[];
  return messages.flatMap(({ content }) => (typeof content === "string" ? [] : content));
}

const hasResults = (request: ModelRequest): boolean => blocksOf(request).some(({ type }) => type === "tool_result");
const workspaceOf = ({ text }: ModelRequest): string => /[Ww]orking directory: (\/[^\\\s"]*)/.exec(text)?.[1] ?? ".";

/** Does everything at once, and answers. Its subagent only answers. */
function leads(request: ModelRequest): ModelReply {
  if (!request.text.includes(lead)) return { text: "One file", usage };
  if (hasResults(request)) return { text: "All is done", usage };
  const dir = workspaceOf(request);
  const names = (request.body["tools"] as { name: string }[]).map(({ name }) => name);
  const task = { description: "Counts", prompt: "Count", subagent_type: "general-purpose", run_in_background: false };
  const todos = [{ content: "Write it", status: "in_progress", activeForm: "Writing it" }];
  const calls = [
    { name: "Write", arguments: { file_path: `${dir}/report.md`, content: "# Report" } },
    { name: "Read", arguments: { file_path: `${dir}/missing.md` } },
    { name: "mcp__atlas__lookup", arguments: {} },
    { name: "mcp__atlas__echo", arguments: leak },
    { name: "mcp__atlas__draw", arguments: {} },
    { name: "TodoWrite", arguments: { todos } },
    { name: "TaskCreate", arguments: { subject: "Write it", description: "All of it" } },
    { name: names.includes("Agent") ? "Agent" : "Task", arguments: task },
  ];
  // Newer versions have tasks in place of a list of todos. They offer them, and tools of MCP servers, after a search.
  const other = names.includes("TodoWrite") ? "TaskCreate" : "TodoWrite";
  const toolCalls = calls.filter(({ name }) => name !== other);
  return { reasoning: "I think", text: "Let me see.", toolCalls, usage };
}

const javaScript = {
  "package.json": JSON.stringify({
    type: "module",
    dependencies: { "@anthropic-ai/claude-agent-sdk": "0.3.332", zod: "4.6.7" },
  }),
  "src/agent.js": `import { createSdkMcpServer, tool } from "@anthropic-ai/claude-agent-sdk";
    import { z } from "zod";
    const says = (text) => ({ content: [{ type: "text", text }] });
    const tools = [
      tool("lookup", "x", {}, async () => says("found it")),
      tool("echo", "x", { text: z.string() }, async ({ text }) => says(text)),
      tool("draw", "x", {}, async () => ({ content: [${picture}] })),
    ];
    export const agent = { model: "claude-sonnet-4-5", systemPrompt: ${JSON.stringify(lead)}, settingSources: [],
      allowedTools: ${JSON.stringify(allowed)}, mcpServers: {
        atlas: createSdkMcpServer({ name: "atlas", version: "1", tools }) } };`,
};

const python = {
  "requirements.txt": "claude-agent-sdk==0.2.189\n",
  "agent.py": `
from claude_agent_sdk import ClaudeAgentOptions, create_sdk_mcp_server, tool

@tool("lookup", "x", {})
async def lookup(given):
    return {"content": [{"type": "text", "text": "found it"}]}

@tool("echo", "x", {"text": str})
async def echo(given):
    return {"content": [{"type": "text", "text": given["text"]}]}

@tool("draw", "x", {})
async def draw(given):
    return {"content": [${picture}]}

atlas = create_sdk_mcp_server(name="atlas", version="1", tools=[lookup, echo, draw])
agent = ClaudeAgentOptions(model="claude-sonnet-4-5", system_prompt=${JSON.stringify(lead)}, setting_sources=[],
    allowed_tools=${JSON.stringify(allowed)}, mcp_servers={"atlas": atlas})
`,
};

describe.each([
  { language: "typescript", version: "22", entrypoint: "src/agent.js:agent", files: javaScript },
  { language: "python", version: "3.11", entrypoint: "agent.py:agent", files: python },
])("claude-agent-sdk in $language", ({ language, version, entrypoint, files }) => {
  test("the events are the SDK's record", async () => {
    const secrets = ["ANTHROPIC_API_KEY", leakedName];
    const manifest = { sdk: "claude-agent-sdk", entrypoint, runtime: { language, version }, secrets, env };
    const { agentId } = await deploy(fleet, { ...manifestFile(manifest), ...files });
    const { id: session } = await fleet.client.createSession(agentId);
    server.play(leads);
    const { record, events, shown } = await seeTurn(fleet, session, "Go");
    expect(textOf(record)).toBe("All is done");

    const blocks = blocksOf(server.requests.findLast(({ text }) => text.includes(lead)));
    const requested = dataOf(events, "tool.call_requested");
    expect(requested.map(callOf)).toEqual(blocks.filter(({ type }) => type === "tool_use").map(callOfBlock));
    const kindsByName = Object.fromEntries(requested.map(({ name, kind, server: of }) => [name, of ?? kind]));
    expect(kindsByName).toMatchObject({ Write: "file", Read: "file", lookup: "atlas" });
    const completed = dataOf(events, "tool.call_completed");
    const results = blocks.filter(({ type }) => type === "tool_result");
    expect(new Map(completed.map(({ call_id, is_error }) => [call_id, is_error]))).toEqual(
      new Map(results.map(({ tool_use_id, is_error = false }) => [tool_use_id, is_error])),
    );
    const named = new Map(completed.map((one) => [one["name"], one]));
    expect(named.get("Read")).toMatchObject({ is_error: true });
    expect(named.get("lookup")).toMatchObject({ is_error: false, result: "found it" });
    expectEchoed(
      requested.find(({ name }) => name === "echo"),
      named.get("echo"),
    );
    await expectPicture(fleet, record.id, named.get("draw"));

    expect(dataOf(events, "reasoning.completed")).toMatchObject([{ text: "I think" }]);
    expect(dataOf(events, "assistant.message")).toMatchObject([{ text: "Let me see." }]);
    const run = requested.find(({ name }) => name === "Agent" || name === "Task");
    const subagent = { name: "general-purpose", parent_call_id: run?.["call_id"] };
    expect(dataOf(events, "subagent.started")).toEqual([subagent]);
    expect(dataOf(events, "subagent.completed")).toMatchObject([{ ...subagent, is_error: false }]);
    const todos = requested.some(({ name }) => name === "TodoWrite");
    const plan = [{ items: [{ text: "Write it", status: todos ? "in_progress" : "pending" }] }];
    expect(dataOf(events, "plan.updated")).toEqual(plan);
    const requests = dataOf(events, "model.request_completed");
    const main = requests.filter((one) => one["parent_call_id"] === undefined);
    expect(main).toMatchObject([
      { usage: wire, finish_reason: "tool_use" },
      { usage: wire, finish_reason: "end_turn" },
    ]);
    expectPreviews(shown, { requested, ordinals: main.map(({ ordinal }) => ordinal) });
  }, 400_000);
});

const pi = {
  "package.json": JSON.stringify({
    type: "module",
    dependencies: { "@earendil-works/pi-ai": "1.3.0", "@earendil-works/pi-coding-agent": "1.3.0" },
  }),
  "src/agent.js": `import { getBuiltinModel } from "@earendil-works/pi-ai/providers/all";
    const named = (name) => ({ name, label: name, description: "x" });
    const model = getBuiltinModel("anthropic", "claude-sonnet-4-5");
    export const agent = { model: { ...model, baseUrl: process.env.ANTHROPIC_BASE_URL }, thinkingLevel: "off",
      customTools: [
        { ...named("echo"), parameters: { type: "object", properties: { text: { type: "string" } } },
          execute: async (_id, { text }) => ({ content: [{ type: "text", text }], details: {} }) },
        { ...named("draw"), parameters: { type: "object", properties: {} },
          execute: async () => ({ content: [${picture}], details: {} }) },
      ] };`,
};

test("the events are pi's record", async () => {
  const manifest = { sdk: "pi", entrypoint: "src/agent.js:agent", runtime: { version: "22" }, env };
  const { agentId } = await deploy(fleet, {
    ...manifestFile({ ...manifest, secrets: ["ANTHROPIC_API_KEY", leakedName] }),
    ...pi,
  });
  const { id: session } = await fleet.client.createSession(agentId);
  const toolCalls = [
    { name: "write", arguments: { path: "report.md", content: "# Report" } },
    { name: "read", arguments: { path: "missing.md" } },
    { name: "echo", arguments: leak },
    { name: "draw", arguments: {} },
  ];
  server.play((request) =>
    hasResults(request) ? { text: "Done", usage } : { reasoning: "I think", text: "First.", toolCalls, usage },
  );
  const { record, events, shown } = await seeTurn(fleet, session, "Go");
  expect(textOf(record)).toBe("Done");
  const blocks = blocksOf(server.requests.at(-1));
  expect(dataOf(events, "tool.call_requested").map(callOf)).toEqual(
    blocks.filter(({ type }) => type === "tool_use").map(callOfBlock),
  );
  const completed = dataOf(events, "tool.call_completed");
  expect(new Set(completed.map(({ name, is_error }) => `${name as string} ${is_error as boolean}`))).toEqual(
    new Set(["write false", "read true", "echo false", "draw false"]),
  );
  const named = new Map(completed.map((one) => [one["name"], one]));
  const requested = dataOf(events, "tool.call_requested");
  expectEchoed(
    requested.find(({ name }) => name === "echo"),
    named.get("echo"),
  );
  await expectPicture(fleet, record.id, named.get("draw"));
  expect(dataOf(events, "assistant.message")).toEqual([{ text: "First." }]);
  expectPreviews(shown, { requested, ordinals: [1, 2] });
  const asked = { provider: "anthropic", model: expect.stringContaining("claude-sonnet-4-5"), usage: wire };
  expect(dataOf(events, "model.request_completed")).toMatchObject([asked, asked]);
}, 400_000);

/** Expects previews of the reasoning, of both texts and of the arguments of all calls. */
function expectPreviews(
  shown: readonly Shown[],
  { requested, ordinals: [first, last] }: { requested: readonly Told[]; ordinals: readonly unknown[] },
): void {
  expect(shown.filter(({ type }) => type === "reasoning.delta")).toMatchObject([{ ordinal: first, text: "I think" }]);
  const texts = shown.filter(({ type }) => type === "assistant.text_delta");
  expect(texts.map(({ ordinal }) => ordinal)).toEqual([first, last]);
  // The end of a preview stays hidden while it can continue a secret.
  const hasSecret = ({ name }: Told): boolean => String(name).endsWith("echo");
  expect(shownArguments(shown.filter((one) => !hasSecret(one)))).toMatchObject(
    Object.fromEntries(requested.flatMap((one) => (hasSecret(one) ? [] : [[one["call_id"], one["arguments"]]]))),
  );
}

const callOf = ({ call_id, name, server: of, arguments: given }: Told) => ({
  id: call_id,
  name: of === undefined ? name : `mcp__${of as string}__${name as string}`,
  given: name === "echo" ? "hidden" : given,
});

const callOfBlock = ({ id, name, input }: Block) => ({ id, name, given: name?.endsWith("echo") ? "hidden" : input });
