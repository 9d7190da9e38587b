// What an OpenCode session does: the session's events are the server's own record, call for call, with a failing tool,
// todos and a subagent.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startOpenaiServer, type ModelRequest, type ModelServer } from "@dari/testkit";
import { dataOf } from "../src/activity.ts";
import { deploy, textOf } from "../src/conversation.ts";
import { noRemains, type Fleet } from "../src/fleet.ts";
import { exampleAgent, pixel, startFleetWith } from "../src/sdk-agents.ts";
import { expectEchoed, expectPicture, leak, leaked, leakedName, seeTurn } from "./activity-cases.ts";

let fleet: Fleet;
let server: ModelServer;

beforeAll(async () => {
  server = await startOpenaiServer(() => ({ text: "unscripted" }));
  fleet = await startFleetWith([server], ["OPENAI_API_KEY"]);
  await fleet.client.putCredential(leakedName, { value: leaked });
}, 120_000);

afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  await server[Symbol.asyncDispose]();
}, 120_000);

/** An MCP server on stdin and stdout, whose tools return the given text, and a picture. */
const atlas = `
import { createInterface } from "node:readline";
const properties = { text: { type: "string" } };
const tools = ["echo", "draw"].map((name) => ({ name, description: "x", inputSchema: { type: "object", properties } }));
const results = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "atlas", version: "1" },
  }),
  "tools/list": () => ({ tools }),
  "tools/call": ({ name, arguments: given }) => ({ content: [name === "echo" ? { type: "text", text: given.text }
    : { type: "image", data: "${pixel}", mimeType: "image/png" }] }),
};
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) continue;
  const found = results[method]?.(params);
  const rest = found === undefined ? { error: { code: -32601, message: "unknown" } } : { result: found };
  console.log(JSON.stringify({ jsonrpc: "2.0", id, ...rest }));
}`;

const hasTools = (request: ModelRequest): boolean => Array.isArray(request.body["tools"]);

test("the events are the server's record", async () => {
  const example = exampleAgent("opencode", { OPENAI_BASE_URL: `${server.url}/v1` });
  const { agentId } = await deploy(fleet, {
    ...example,
    "dari.yml": `${example["dari.yml"]}`.replace("secrets:\n", `secrets:\n  - ${leakedName}\n`),
    "src/atlas.mjs": atlas,
    "src/agent.ts": `${example["src/agent.ts"]}`.replace(
      "export const agent = {",
      `import { fileURLToPath } from "node:url";
        const atlas = fileURLToPath(new URL("./atlas.mjs", import.meta.url));
        export const agent = { mcp: { atlas: { type: "local", command: [process.execPath, atlas] } },`,
    ),
  });
  const { id: session } = await fleet.client.createSession(agentId);
  const usage = { inputTokens: 20, outputTokens: 9, reasoningTokens: 3 };
  const todos = [{ id: "1", content: "Write it", status: "in_progress", priority: "high" }];
  const toolCalls = [
    { name: "write", arguments: { filePath: "notes.md", content: "# Notes" } },
    { name: "read", arguments: { filePath: "missing.md" } },
    { name: "todowrite", arguments: { todos } },
    { name: "atlas_echo", arguments: leak },
    { name: "atlas_draw", arguments: { text: "x" } },
    { name: "task", arguments: { description: "Counts", prompt: "Count the files", subagent_type: "general" } },
  ];
  server.play((request) => {
    if (!hasTools(request)) return { text: "A title" };
    if (!request.text.includes("Take notes")) return { text: "There is one file", usage };
    if (request.text.includes("function_call_output")) return { text: "Noted", usage };
    const names = new Set((request.body["tools"] as { name: string }[]).map(({ name }) => name));
    return {
      reasoning: "I think",
      text: "Let me see.",
      toolCalls: toolCalls.filter(({ name }) => names.has(name)),
      usage,
    };
  });
  const { record, events } = await seeTurn(fleet, session, "Take notes");
  expect(textOf(record)).toBe("Noted");

  const last = server.requests.findLast((request) => hasTools(request) && request.text.includes("Take notes"));
  const items = last?.body["input"] as Record<string, unknown>[];
  const called = items.filter((item) => item["type"] === "function_call");
  const requested = dataOf(events, "tool.call_requested");
  expect(
    requested.map(({ call_id, name, server: of }) => [
      call_id,
      of === undefined ? name : `${of as string}_${name as string}`,
    ]),
  ).toEqual(called.map(({ call_id, name }) => [call_id, name]));
  expect(requested.map(({ name, arguments: given }) => (name === "echo" ? {} : given))).toMatchObject(
    called.map(({ name, arguments: given }) => (name === "atlas_echo" ? {} : (JSON.parse(String(given)) as object))),
  );
  const completed = new Map(dataOf(events, "tool.call_completed").map((one) => [one["call_id"], one]));
  expect(called.map(({ call_id }) => completed.get(call_id)?.["is_error"])).toEqual(
    called.map(({ name }) => name === "read"),
  );
  const ofServer = requested.filter(({ kind, server: of }) => kind === "mcp" && of === "atlas");
  expect(ofServer.map(({ name }) => name)).toEqual(["echo", "draw"]);
  const [echoed, drawn] = ofServer.map(({ call_id }) => completed.get(call_id));
  expectEchoed(ofServer[0], echoed);
  await expectPicture(fleet, record.id, drawn);
  expect(dataOf(events, "reasoning.completed")).toMatchObject([{ text: "I think" }]);
  expect(dataOf(events, "assistant.message")).toEqual([{ text: "Let me see." }]);
  const run = requested.find(({ name }) => name === "task");
  const subagent = { name: "general", parent_call_id: run?.["call_id"] };
  expect(dataOf(events, "subagent.started")).toEqual([subagent]);
  expect(dataOf(events, "subagent.completed")).toMatchObject([{ ...subagent, is_error: false }]);
  const plan = { items: [{ text: "Write it", status: "in_progress" }] };
  expect(dataOf(events, "plan.updated")).toEqual(requested.some(({ name }) => name === "todowrite") ? [plan] : []);
  const requests = dataOf(events, "model.request_completed");
  expect(requests.map((one) => one["parent_call_id"] ?? "main").sort()).toEqual(
    [run?.["call_id"], "main", "main"].sort(),
  );
  for (const one of requests) {
    expect(one).toMatchObject({ provider: "openai", model: "gpt-4.1", usage: { input_tokens: 20 } });
  }
}, 400_000);
