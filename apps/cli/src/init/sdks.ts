// The agents that `dari init` writes for SDKs: the smallest that says something. Their packages are those of the
// examples.

import type { InitKind } from "./kinds.ts";

export type SdkKind = Exclude<InitKind, "function">;
type PythonSdkKind = "openai-agents" | "claude-agent-sdk";

export const sdkSecrets: Readonly<Record<SdkKind, string>> = {
  "openai-agents": "OPENAI_API_KEY",
  "claude-agent-sdk": "ANTHROPIC_API_KEY",
  pi: "ANTHROPIC_API_KEY",
  opencode: "OPENAI_API_KEY",
};

/** A test compares the versions with those of the examples. */
export const sdkPackages: {
  readonly typescript: Readonly<Record<SdkKind, Readonly<Record<string, string>>>>;
  readonly python: Readonly<Record<PythonSdkKind, string>>;
} = {
  typescript: {
    "openai-agents": { "@openai/agents": "0.20.0", zod: "4.6.7" },
    "claude-agent-sdk": { "@anthropic-ai/claude-agent-sdk": "0.3.332" },
    pi: { "@earendil-works/pi-ai": "1.3.0", "@earendil-works/pi-coding-agent": "1.3.0" },
    opencode: { "@opencode-ai/sdk": "1.19.3", "opencode-ai": "1.18.33" },
  },
  python: { "openai-agents": "openai-agents==0.24.0\n", "claude-agent-sdk": "claude-agent-sdk==0.2.189\n" },
};

const instructions = "You keep the user's notes in notes.md, and answer from them.";

export const sdkInTypescript: Readonly<Record<SdkKind, string>> = {
  "openai-agents": `import { readFile, writeFile } from "node:fs/promises";
import { Agent, tool } from "@openai/agents";
import { z } from "zod";

// The working directory is the session's workspace: its files are still there in the next message.
const readNotes = tool({
  name: "read_notes",
  description: "Returns the notes.",
  parameters: z.object({}),
  execute: () => readFile("notes.md", "utf8").catch(() => "There are no notes."),
});

// A person approves each call. Until then, the message waits and uses no worker.
const writeNotes = tool({
  name: "write_notes",
  description: "Replaces the notes.",
  parameters: z.object({ markdown: z.string() }),
  needsApproval: true,
  async execute({ markdown }) {
    await writeFile("notes.md", markdown);
    return "written";
  },
});

export const agent = new Agent({
  name: "Notes",
  instructions: "${instructions}",
  tools: [readNotes, writeNotes],
});
`,
  "claude-agent-sdk": `import type { Options } from "@anthropic-ai/claude-agent-sdk";

// The platform adds the session, the working directory and the prompt. Text is streamed.
export const agent: Options = {
  systemPrompt: "${instructions}",
  // All other tools are refused. The working directory is the session's workspace.
  allowedTools: ["Read", "Write", "Edit", "Glob", "Grep"],
  settingSources: [],
  maxTurns: 20,
};
`,
  pi: `import { getBuiltinModel } from "@earendil-works/pi-ai/providers/all";

// Options of createAgentSession. The platform adds the session and the working directory. Text is streamed.
export const agent = {
  model: getBuiltinModel("anthropic", "claude-sonnet-4-5"),
  thinkingLevel: "off",
};
`,
  opencode: `// The platform starts the OpenCode server in the session's workspace. Text is streamed.
export const agent = {
  name: "notes",
  instructions: "${instructions}",
  model: "openai/gpt-4.1",
};
`,
};

export const sdkInPython: Readonly<Record<PythonSdkKind, string>> = {
  "openai-agents": `from pathlib import Path

from agents import Agent, function_tool


# The working directory is the session's workspace: its files are still there in the next message.
@function_tool
def read_notes() -> str:
    """Returns the notes."""
    notes = Path("notes.md")
    return notes.read_text(encoding="utf-8") if notes.exists() else "There are no notes."


# A person approves each call. Until then, the message waits and uses no worker.
@function_tool(needs_approval=True)
def write_notes(markdown: str) -> str:
    """Replaces the notes."""
    Path("notes.md").write_text(markdown, encoding="utf-8")
    return "written"


agent = Agent(
    name="Notes",
    instructions="${instructions}",
    tools=[read_notes, write_notes],
)
`,
  "claude-agent-sdk": `from claude_agent_sdk import ClaudeAgentOptions

# The platform adds the session, the working directory and the prompt. Text is streamed.
agent = ClaudeAgentOptions(
    system_prompt="${instructions}",
    # All other tools are refused. The working directory is the session's workspace.
    allowed_tools=["Read", "Write", "Edit", "Glob", "Grep"],
    setting_sources=[],
    max_turns=20,
)
`,
};
