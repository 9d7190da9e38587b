// What an OpenCode session does: the session's events are the server's own record, call for call, with a failing tool,
// todos and a subagent.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startOpenaiServer, type ModelRequest, type ModelServer } from "@dari/testkit";
import { activityOf, dataOf } from "../src/activity.ts";
import { testsEverySdk } from "../src/config.ts";
import { deploy, send, textOf } from "../src/conversation.ts";
import { noRemains, type Fleet } from "../src/fleet.ts";
import { exampleAgent, startFleetWith } from "../src/sdk-agents.ts";

/** Run by `npm run lab -- every-sdk`: the packages have hundreds of megabytes. */
const whole = testsEverySdk() ? test : test.skip;

let fleet: Fleet;
let server: ModelServer;

beforeAll(async () => {
  server = await startOpenaiServer(() => ({ text: "unscripted" }));
  fleet = await startFleetWith([server], ["OPENAI_API_KEY"]);
}, 120_000);

afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  await server[Symbol.asyncDispose]();
}, 120_000);

const hasTools = (request: ModelRequest): boolean => Array.isArray(request.body["tools"]);

whole(
  "the events are the server's record",
  async () => {
    const { agentId } = await deploy(fleet, exampleAgent("opencode", { OPENAI_BASE_URL: `${server.url}/v1` }));
    const { id: session } = await fleet.client.createSession(agentId);
    const usage = { inputTokens: 20, outputTokens: 9, reasoningTokens: 3 };
    const todos = [{ id: "1", content: "Write it", status: "in_progress", priority: "high" }];
    const toolCalls = [
      { name: "write", arguments: { filePath: "notes.md", content: "# Notes" } },
      { name: "read", arguments: { filePath: "missing.md" } },
      { name: "todowrite", arguments: { todos } },
      { name: "task", arguments: { description: "Counts", prompt: "Count the files", subagent_type: "general" } },
    ];
    server.play((request) => {
      if (!hasTools(request)) return { text: "A title" };
      if (!request.text.includes("Take notes")) return { text: "There is one file", usage };
      if (request.text.includes("function_call_output")) return { text: "Noted", usage };
      const names = new Set((request.body["tools"] as { name: string }[]).map(({ name }) => name));
      return { text: "Let me see.", toolCalls: toolCalls.filter(({ name }) => names.has(name)), usage };
    });
    const record = await send(fleet, session, "Take notes");
    expect(textOf(record)).toBe("Noted");

    const events = await activityOf(fleet, session, record.id);
    const last = server.requests.findLast((request) => hasTools(request) && request.text.includes("Take notes"));
    const items = last?.body["input"] as Record<string, unknown>[];
    const called = items.filter((item) => item["type"] === "function_call");
    const requested = dataOf(events, "tool.call_requested");
    expect(requested.map(({ call_id, name }) => [call_id, name])).toEqual(
      called.map(({ call_id, name }) => [call_id, name]),
    );
    expect(requested.map(({ arguments: given }) => given)).toMatchObject(
      called.map((one) => JSON.parse(String(one["arguments"])) as object),
    );
    const failed = dataOf(events, "tool.call_completed").map(({ name, is_error }) => [name, is_error]);
    expect(new Map(failed as [string, boolean][])).toEqual(
      new Map(called.map(({ name }) => [name as string, name === "read"])),
    );
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
  },
  400_000,
);
