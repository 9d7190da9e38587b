// One agent for each SDK that takes messages that steer, and functions in both languages. All have the tools `hold`
// and `watch`. `pay` waits for a person, where the SDK can continue from there.

import type { ModelRequest, ToolCall } from "@dari/testkit";
import type { BundleFiles } from "../src/bundle.ts";
import { manifestFile } from "../src/conversation.ts";

export interface SteeredAgent {
  readonly title: string;
  /** Whose wire format its model speaks. */
  readonly provider: "openai" | "anthropic";
  /** `env`: the addresses of the model servers. */
  filesFor(env: Readonly<Record<string, string>>): BundleFiles;
  /** Returns once a message waits. */
  readonly hold: ToolCall;
  /** From then on, the agent emits an event when a message waits. */
  readonly watch: ToolCall;
  /** A tool that waits for a person, and the answer that lets it run. */
  readonly pay?: { readonly call: ToolCall; readonly answer: unknown };
  /** Whether a request is one of the conversation, and not one that the SDK makes beside it. */
  isConversation(request: ModelRequest): boolean;
  /** Whether a message that comes during the last answer gets another answer in the same turn. */
  readonly continues: boolean;
  /** The event of the agent that follows a message which the turn took between two requests. */
  readonly next: "model.request_started" | "agent.event";
  /** Whether it runs in the matrix, too. The others need packages of hundreds of megabytes, so they run at night. */
  readonly isInMatrix: boolean;
}

const javaScriptTools = `
const context = () => globalThis[Symbol.for("dari.agent.context")];
async function hold() {
  const { inbox } = context();
  while (!inbox.isWaiting) {
    await new Promise((resolve) => {
      const stop = inbox.onWaiting(() => (stop(), resolve()));
    });
  }
  return "held";
}
async function watch() {
  const { inbox, emit } = context();
  inbox.onWaiting(() => void emit("waits", null));
  return "watching";
}
`;

const pythonTools = `
import asyncio
from dari_agent import get_context

async def hold() -> str:
    inbox, loop, changed = get_context().inbox, asyncio.get_running_loop(), asyncio.Event()
    stop = inbox.on_waiting(lambda: loop.call_soon_threadsafe(changed.set))
    if not inbox.is_waiting:
        await changed.wait()
    stop()
    return "held"

async def watch() -> str:
    context = get_context()
    context.inbox.on_waiting(lambda: context.emit("waits"))
    return "watching"
`;

/** A loop of requests and tools, as the SDKs have one, which takes messages before each request. */
const javaScriptFunction = `${javaScriptTools}
const tools = { hold, watch, pay: async () => {
  await context().requestInput("pay", { type: "boolean" });
  return "paid";
} };
async function ask(messages) {
  const response = await fetch(process.env.OPENAI_BASE_URL + "/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "scripted", messages }),
  });
  return (await response.json()).choices[0].message;
}
export async function agent(prompt, { inbox, history, tool, emit }) {
  const messages = [...history.flatMap(({ parts }) => parts.map(({ text }) => text)), prompt];
  for (;;) {
    for (const { text } of await inbox.take()) messages.push(text);
    await emit("asks", null);
    const { content, tool_calls: calls } = await ask(messages);
    if (calls === undefined) return content;
    messages.push(...(await Promise.all(calls.map((call) => tool(call.function.name, {}, tools[call.function.name])))));
  }
}
`;

const pythonFunction = `
import asyncio, json, os, urllib.request
from dari_agent import get_context
from steering import hold, watch

async def pay() -> str:
    get_context().request_input("pay", {"type": "boolean"})
    return "paid"

TOOLS = {"hold": hold, "watch": watch, "pay": pay}

def ask(messages):
    body = json.dumps({"model": "scripted", "messages": messages}).encode()
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)["choices"][0]["message"]

async def agent(prompt, context):
    messages = [part["text"] for entry in context.history for part in entry["parts"]] + [prompt]
    while True:
        messages += [message["text"] for message in await context.inbox.take()]
        context.emit("asks")
        answer = await asyncio.to_thread(ask, messages)
        if not answer.get("tool_calls"):
            return answer["content"]
        names = [call["function"]["name"] for call in answer["tool_calls"]]
        messages += await asyncio.gather(*(context.tool(name, {}, TOOLS[name]) for name in names))
`;

const openaiTypeScript = {
  "package.json": JSON.stringify({ type: "module", dependencies: { "@openai/agents": "0.20.0", zod: "4.6.7" } }),
  "src/agent.ts": `import { Agent, tool } from "@openai/agents";
    import { z } from "zod";
    ${javaScriptTools}
    const tools = [hold, watch].map((execute) =>
      tool({ name: execute.name, description: "x", parameters: z.object({}), execute }));
    const pay = tool({ name: "pay", description: "x", parameters: z.object({}), needsApproval: true,
      execute: () => "paid" });
    export const agent = new Agent({ name: "Planner", model: "gpt-4.1", instructions: "Plan.",
      tools: [...tools, pay] });`,
};

const openaiPython = {
  "requirements.txt": "openai-agents==0.24.0\n",
  "steering.py": pythonTools,
  "agent.py": `
from agents import Agent, function_tool
from steering import hold, watch

@function_tool(needs_approval=True)
def pay() -> str:
    return "paid"

agent = Agent(name="Planner", model="gpt-4.1", instructions="Plan.",
    tools=[function_tool(hold), function_tool(watch), pay])
`,
};

const lead = "You are the lead.";
const claudeTools = ["hold", "watch"].map((name) => `mcp__atlas__${name}`);

const claudeJavaScript = {
  "package.json": JSON.stringify({
    type: "module",
    dependencies: { "@anthropic-ai/claude-agent-sdk": "0.3.332", zod: "4.6.7" },
  }),
  "src/agent.js": `import { createSdkMcpServer, tool } from "@anthropic-ai/claude-agent-sdk";
    ${javaScriptTools}
    const tools = [hold, watch].map((run) =>
      tool(run.name, "x", {}, async () => ({ content: [{ type: "text", text: await run() }] })));
    export const agent = { model: "claude-sonnet-4-5", systemPrompt: ${JSON.stringify(lead)}, settingSources: [],
      allowedTools: ${JSON.stringify(claudeTools)}, mcpServers: {
        atlas: createSdkMcpServer({ name: "atlas", version: "1", tools }) } };`,
};

const claudePython = {
  "requirements.txt": "claude-agent-sdk==0.2.189\n",
  "steering.py": pythonTools,
  "agent.py": `
from claude_agent_sdk import ClaudeAgentOptions, create_sdk_mcp_server, tool
from steering import hold, watch

def of(run):
    async def call(given):
        return {"content": [{"type": "text", "text": await run()}]}
    return tool(run.__name__, "x", {})(call)

atlas = create_sdk_mcp_server(name="atlas", version="1", tools=[of(hold), of(watch)])
agent = ClaudeAgentOptions(model="claude-sonnet-4-5", system_prompt=${JSON.stringify(lead)}, setting_sources=[],
    allowed_tools=${JSON.stringify(claudeTools)}, mcp_servers={"atlas": atlas})
`,
};

const pi = {
  "package.json": JSON.stringify({
    type: "module",
    dependencies: { "@earendil-works/pi-ai": "1.3.0", "@earendil-works/pi-coding-agent": "1.3.0" },
  }),
  "src/agent.js": `import { getBuiltinModel } from "@earendil-works/pi-ai/providers/all";
    ${javaScriptTools}
    const customTools = [hold, watch].map((run) => ({
      ...{ name: run.name, label: run.name, description: "x", parameters: { type: "object", properties: {} } },
      execute: async () => ({ content: [{ type: "text", text: await run() }], details: {} }),
    }));
    const model = getBuiltinModel("anthropic", "claude-sonnet-4-5");
    export const agent = { model: { ...model, baseUrl: process.env.ANTHROPIC_BASE_URL }, thinkingLevel: "off",
      customTools };`,
};

const callTo = (name: string): ToolCall => ({ name, arguments: {} });
const plain = { hold: callTo("hold"), watch: callTo("watch"), isConversation: () => true };
const openai = { ...plain, provider: "openai", continues: false, isInMatrix: false } as const;
const anthropic = { ...plain, provider: "anthropic", continues: true, isInMatrix: false } as const;
const claude = {
  ...anthropic,
  hold: callTo("mcp__atlas__hold"),
  watch: callTo("mcp__atlas__watch"),
  isConversation: ({ text }: ModelRequest) => text.includes(lead),
};
const sdk = { next: "model.request_started" } as const;
const approved = { call: callTo("pay"), answer: { approved: true } };
const ofFunction = {
  ...openai,
  isInMatrix: true,
  next: "agent.event",
  pay: { call: callTo("pay"), answer: true },
} as const;

const runs = (entrypoint: string, files: BundleFiles, name?: string) => ({
  filesFor: (env: Readonly<Record<string, string>>) => ({
    ...manifestFile({
      ...(name === undefined ? {} : { sdk: name }),
      entrypoint,
      runtime: entrypoint.includes(".py:") ? { language: "python", version: "3.11" } : { version: "22" },
      retries: { max_attempts: 4 },
      secrets: ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"],
      env,
    }),
    ...files,
  }),
});

export const steeredAgents: readonly SteeredAgent[] = [
  {
    title: "a function in JavaScript",
    ...runs("src/agent.mjs:agent", { "src/agent.mjs": javaScriptFunction }),
    ...ofFunction,
  },
  {
    title: "a function in Python",
    ...runs("agent.py:agent", { "agent.py": pythonFunction, "steering.py": pythonTools }),
    ...ofFunction,
  },
  {
    title: "openai-agents in TypeScript",
    ...runs("src/agent.ts:agent", openaiTypeScript, "openai-agents"),
    ...{ ...openai, ...sdk, pay: approved },
  },
  {
    title: "openai-agents in Python",
    ...runs("agent.py:agent", openaiPython, "openai-agents"),
    ...{ ...openai, ...sdk, pay: approved },
  },
  {
    title: "claude-agent-sdk in JavaScript",
    ...runs("src/agent.js:agent", claudeJavaScript, "claude-agent-sdk"),
    ...{ ...claude, ...sdk },
  },
  {
    title: "claude-agent-sdk in Python",
    ...runs("agent.py:agent", claudePython, "claude-agent-sdk"),
    ...{ ...claude, ...sdk },
  },
  { title: "pi", ...runs("src/agent.js:agent", pi, "pi"), ...anthropic, ...sdk },
];
