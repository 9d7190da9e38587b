// The pairs of SDK and language for long turns: the example, and the tool with which it delegates.

import type { ModelRequest, ToolCall } from "@dari/testkit";
import type { BundleFiles } from "./bundle.ts";

export interface LongTurnPair {
  readonly title: string;
  readonly example: string;
  readonly provider: "openai" | "anthropic";
  /** Replaces the example's files. */
  readonly files?: BundleFiles;
  readonly isSlow: "main" | "subagent";
  /** Returns the call that starts the subagent with this prompt; absent if the SDK has no subagents. */
  delegates?(request: ModelRequest, prompt: string): ToolCall;
}

const asksHelper = (_request: ModelRequest, prompt: string): ToolCall => ({
  name: "ask_helper",
  arguments: { input: prompt },
});

/** Newer versions name the tool differently. */
function startsAgent({ body }: ModelRequest, prompt: string): ToolCall {
  const names = (body["tools"] as { name: string }[]).map(({ name }) => name);
  const given = { description: "Works", prompt, subagent_type: "general-purpose" };
  return { name: names.includes("Agent") ? "Agent" : "Task", arguments: given };
}

const claudeOptions = { model: "claude-sonnet-4-5", settingSources: [], allowedTools: ["Agent", "Task"] };

export const longTurnPairs: readonly LongTurnPair[] = [
  {
    title: "openai-agents-js",
    example: "openai-agents-js",
    isSlow: "main",
    provider: "openai",
    files: {
      "src/agent.js": `import { Agent } from "@openai/agents";
        const helper = new Agent({ name: "Helper", instructions: "Help." });
        const tools = [helper.asTool({ toolName: "ask_helper", toolDescription: "Helps." })];
        export const agent = new Agent({ name: "Lead", instructions: "Delegate.", tools });`,
    },
    delegates: asksHelper,
  },
  {
    title: "openai-agents-python",
    example: "openai-agents-python",
    isSlow: "main",
    provider: "openai",
    files: {
      "agent.py": [
        "from agents import Agent",
        "helper = Agent(name='Helper', instructions='Help.')",
        "tools = [helper.as_tool(tool_name='ask_helper', tool_description='Helps.')]",
        "agent = Agent(name='Lead', instructions='Delegate.', tools=tools)",
      ].join("\n"),
    },
    delegates: asksHelper,
  },
  {
    title: "claude-agent-sdk-js",
    example: "claude-agent-sdk-js",
    isSlow: "subagent",
    provider: "anthropic",
    files: { "src/agent.js": `export const agent = ${JSON.stringify(claudeOptions)};` },
    delegates: startsAgent,
  },
  {
    title: "claude-agent-sdk-python",
    example: "claude-agent-sdk-python",
    isSlow: "subagent",
    provider: "anthropic",
    files: {
      "agent.py": "agent = dict(model='claude-sonnet-4-5', setting_sources=[], allowed_tools=['Agent', 'Task'])\n",
    },
    delegates: startsAgent,
  },
  { title: "pi", example: "pi", provider: "anthropic", isSlow: "main" },
  {
    title: "opencode",
    example: "opencode",
    isSlow: "subagent",
    provider: "openai",
    delegates: (_request, prompt) => ({
      name: "task",
      arguments: { description: "Works", prompt, subagent_type: "general" },
    }),
  },
];
