// Exported options of Anthropic's SDK, in both languages, and of pi, from their published packages: tools, streamed
// text, memory across turns and workers, usage, and the exact bytes of images and documents.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startAnthropicServer, type ModelReply, type ModelRequest, type ModelServer } from "@dari/testkit";
import { deploy, manifestFile, send, textOf, textPart } from "../src/conversation.ts";
import { noRemains, type Fleet } from "../src/fleet.ts";
import {
  exampleAgent,
  moveToAnotherWorker,
  pixel,
  startFleetWith,
  upload,
  usageOfLastRun,
  watchTurn,
} from "../src/sdk-agents.ts";

let fleet: Fleet;
let server: ModelServer;
let env: Record<string, string>;

beforeAll(async () => {
  server = await startAnthropicServer(() => ({ text: "unscripted" }));
  fleet = await startFleetWith([server], ["ANTHROPIC_API_KEY"]);
  env = { ANTHROPIC_BASE_URL: server.url, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1" };
}, 120_000);

afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  await server[Symbol.asyncDispose]();
}, 120_000);

/** How pi was called up to version 0.73. */
const olderPi = {
  "package.json": packageOf({ "@mariozechner/pi-ai": "0.73.1", "@mariozechner/pi-coding-agent": "0.73.1" }),
  "src/agent.js": `import { getModel } from "@mariozechner/pi-ai";
    const model = { ...getModel("anthropic", "claude-sonnet-4-5"), baseUrl: process.env.ANTHROPIC_BASE_URL };
    export const agent = { model, thinkingLevel: "off" };`,
};

describe.each([
  { title: "claude-agent-sdk-js", example: "claude-agent-sdk-js", tool: "Write", pathKey: "file_path", files: {} },
  {
    title: "claude-agent-sdk-python",
    example: "claude-agent-sdk-python",
    tool: "Write",
    pathKey: "file_path",
    files: {},
  },
  { title: "pi", example: "pi", tool: "write", pathKey: "path", files: {} },
  { title: "pi by its older name", example: "pi", tool: "write", pathKey: "path", files: olderPi },
])("$title", ({ example, tool, pathKey, files }) => {
  test("uses its tools, shows text as it comes, remembers on another worker, and is shown images", async () => {
    const { agentId } = await deploy(fleet, exampleAgent(example, env, files));
    const { id: session } = await fleet.client.createSession(agentId);

    const seen = Promise.withResolvers<void>();
    async function* pieces(): AsyncGenerator<string> {
      yield "Written ";
      await seen.promise;
      yield "it. 😀";
    }
    const writes = (path: string): ModelReply => ({
      toolCalls: [{ name: tool, arguments: { [pathKey]: path, content: "# Report" } }],
      usage: { inputTokens: 10, outputTokens: 5 },
    });
    server.play((request) =>
      hasToolResult(request)
        ? { text: pieces(), usage: { inputTokens: 20, outputTokens: 5, cachedInputTokens: 4 } }
        : writes(`${workspaceOf(request) ?? "."}/report.md`),
    );
    const first = await watchTurn(fleet, session, { parts: [textPart("Write the report")] }, (shown) => {
      if (shown === "Written ") seen.resolve();
    });
    expect(textOf(first.record)).toBe("Written it. 😀");
    expect(first.shownText).toBe("Written it. 😀");
    expect(first.record.files_changed).toEqual([{ path: "/report.md", change: "created", size_bytes: 8 }]);
    expect(first.record.output?.usage).toMatchObject({
      requests: 2,
      input_tokens: 34,
      output_tokens: 10,
      total_tokens: 44,
      cached_input_tokens: 4,
    });

    await moveToAnotherWorker(fleet);
    server.play(() => ({ text: "Seen", usage: { inputTokens: 30, outputTokens: 15 } }));
    const image = await upload(fleet, "chart.png", Buffer.from(pixel, "base64"));
    const parts = [textPart("And this?"), { type: "image" as const, file_id: image }];
    const second = await send(fleet, session, { parts });
    expect(textOf(second)).toBe("Seen");
    // The usage of this turn only, not of the SDK's whole session.
    expect(second.output?.usage).toMatchObject({
      requests: 1,
      input_tokens: 30,
      output_tokens: 15,
      total_tokens: 45,
    });
    expect(second.output?.usage?.cost_usd).toBeLessThan(2 * (first.record.output?.usage?.cost_usd ?? 0));
    const text = server.requests.at(-1)?.text ?? "";
    expect(text).toContain("Write the report");
    expect(text).toContain("tool_result");
    expect(text).toContain(`"media_type":"image/png","data":"${pixel}"`);

    let requests = 0;
    server.play((request) => {
      requests += 1;
      if (requests === 1) return writes(`${workspaceOf(request) ?? "."}/report.md`);
      return { error: { status: 400, type: "invalid_request_error", message: "the model is away" } };
    });
    const failed = await send(fleet, session, "Do not remember this");
    expect(failed).toMatchObject({ status: "failed", output: { error: { code: "agent_error" } } });
    // What was used before the failure counts.
    const usedUntilThen = await usageOfLastRun(fleet, session, failed.id);
    expect(usedUntilThen).toMatchObject({ input_tokens: 10, output_tokens: 5, total_tokens: 15 });
    expect(failed.output?.error?.message).toContain("the model is away");
    server.play(() => ({ text: "Back" }));
    expect(textOf(await send(fleet, session, "Still there?"))).toBe("Back");
    expect(server.requests.at(-1)?.text).not.toContain("Do not remember this");
  }, 400_000);
});

const lead = "You are the lead.";
const [model, allowedTools] = ["claude-sonnet-4-5", ["Write", "Agent", "Task"]];
const inJavaScript = JSON.stringify({ model, systemPrompt: lead, settingSources: [], allowedTools });
const inPython = JSON.stringify({ model, system_prompt: lead, setting_sources: [], allowed_tools: allowedTools });

/** Agents whose subagents run in the background, which is the default of newer versions. */
const delegating = [
  {
    title: "claude-agent-sdk-js",
    files: { "src/agent.js": `export const agent = ${inJavaScript};` },
  },
  {
    title: "claude-agent-sdk-python",
    files: { "agent.py": `agent = ${inPython}\n` },
  },
];

test.each(delegating)(
  "$title waits for its subagents, keeps what they wrote, and answers the next message",
  async ({ title, files }) => {
    const { agentId } = await deploy(fleet, exampleAgent(title, env, files));
    const { id: session } = await fleet.client.createSession(agentId);
    const leadHasAnswered = Promise.withResolvers<void>();
    const usage = { inputTokens: 100, outputTokens: 10 };
    server.play(async (request) => {
      if (request.text.includes(lead)) return { ...leadReply(request), usage };
      if (hasToolResult(request)) return { text: "Written", usage };
      await leadHasAnswered.promise;
      const path = `${workspaceOf(request) ?? "."}/late.txt`;
      return { toolCalls: [{ name: "Write", arguments: { file_path: path, content: "late" } }], usage };
    });
    const first = await watchTurn(fleet, session, { parts: [textPart("Delegate it")] }, (shown) => {
      if (shown === "Started") leadHasAnswered.resolve();
    });
    expect(textOf(first.record)).toBe("All is done");
    expect(first.record.files_changed).toEqual([{ path: "/late.txt", change: "created", size_bytes: 4 }]);
    // Three requests of the main agent, two of its subagent.
    expect(first.record.output?.usage).toMatchObject({ requests: 5, input_tokens: 500, output_tokens: 50 });

    server.play(() => ({ text: "The second answer", usage }));
    const second = await send(fleet, session, "And now?");
    expect(textOf(second)).toBe("The second answer");
    expect(second.output?.usage).toMatchObject({ requests: 1, input_tokens: 100, output_tokens: 10 });
  },
  400_000,
);

/** Delegates, says so, and reports the end when its subagent has ended. */
function leadReply(request: ModelRequest): ModelReply {
  const said = JSON.stringify((request.body["messages"] as unknown[]).filter((one) => isOfModel(one)));
  if (said.includes('"Started"')) return { text: "All is done" };
  if (said.includes('"tool_use"')) return { text: "Started" };
  const names = (request.body["tools"] as { name: string }[]).map(({ name }) => name);
  const name = names.includes("Agent") ? "Agent" : "Task";
  const given = { description: "Writes", prompt: "Write late.txt", subagent_type: "general-purpose" };
  return { toolCalls: [{ name, arguments: given }] };
}

const isOfModel = (message: unknown): boolean => (message as { role: string }).role === "assistant";

/** Functions that call their SDK themselves, as real repositories do, with older versions. */
const functions = [
  {
    title: "claude-agent-sdk in JavaScript",
    manifest: { entrypoint: "src/agent.js:agent", sdk: "claude-agent-sdk", runtime: { version: "20" } },
    files: {
      "package.json": packageOf({ "@anthropic-ai/claude-agent-sdk": "0.2.92" }),
      "src/agent.js": `import { query } from "@anthropic-ai/claude-agent-sdk";
        export async function agent(prompt = "hello") {
          let answer = "";
          for await (const message of query({ prompt, options: { maxTurns: 1, settingSources: [] } })) {
            if (message.type === "result" && message.subtype === "success") answer = message.result;
          }
          return answer;
        }`,
    },
  },
  {
    title: "claude-agent-sdk in Python",
    manifest: { entrypoint: "agent.py:agent", sdk: "claude-agent-sdk", runtime: { version: "3.11" } },
    files: {
      "requirements.txt": "claude-agent-sdk==0.1.56\n",
      "agent.py": [
        "from claude_agent_sdk import ClaudeAgentOptions, ResultMessage, query",
        "async def agent(prompt: str = 'hello') -> str:",
        "  answer = ''",
        "  async for message in query(prompt=prompt, options=ClaudeAgentOptions(max_turns=1)):",
        "    if isinstance(message, ResultMessage):",
        "      answer = message.result or ''",
        "  return answer",
      ].join("\n"),
    },
  },
  {
    title: "pi",
    manifest: { entrypoint: "src/agent.js:agent", sdk: "pi", runtime: { version: "22" } },
    files: {
      "package.json": packageOf({
        "@mariozechner/pi-ai": "0.65.2",
        "@mariozechner/pi-coding-agent": "0.65.2",
      }),
      "src/agent.js": `import { getModel } from "@mariozechner/pi-ai";
        import { createAgentSession, SessionManager } from "@mariozechner/pi-coding-agent";
        export async function agent(prompt = "hello") {
          const model = { ...getModel("anthropic", "claude-sonnet-4-5"), baseUrl: process.env.ANTHROPIC_BASE_URL };
          const { session } = await createAgentSession({ model, sessionManager: SessionManager.inMemory() });
          await session.prompt(prompt);
          const { content } = session.messages.at(-1);
          return content.map((part) => part.text ?? "").join("");
        }`,
    },
  },
];

test.each(functions)(
  "a function over $title runs",
  async ({ manifest, files }) => {
    const secrets = ["ANTHROPIC_API_KEY"];
    const { agentId } = await deploy(fleet, { ...manifestFile({ ...manifest, secrets, env }), ...files });
    const { id: session } = await fleet.client.createSession(agentId);
    server.play(() => ({ text: "From the function" }));
    expect(textOf(await send(fleet, session, "hi"))).toBe("From the function");
  },
  400_000,
);

function packageOf(dependencies: Record<string, string>): string {
  return JSON.stringify({ type: "module", dependencies });
}

const hasToolResult = (request: ModelRequest): boolean => request.text.includes('"tool_result"');

/** The working directory that the SDK tells the model. */
const workspaceOf = (request: ModelRequest): string | undefined =>
  /[Ww]orking directory: (\/[^\\\s"]*)/.exec(request.text)?.[1];
