// Agents that ask the model of src/counting-model.ts eight times, with a tool call after each answer but the last one.

import type { BundleFiles } from "../src/bundle.ts";
import { manifestFile } from "../src/conversation.ts";
import { exampleAgent } from "../src/sdk-agents.ts";
import { requestsOfTurn, type CountingModel } from "../src/counting-model.ts";

export interface CountingAgent {
  readonly title: string;
  /** The first part of the names of its turns. */
  readonly prefix: string;
  files(model: CountingModel, retries: object): BundleFiles;
}

/** An agent that checks each answer's signature, and waits after each answer, the last one included. */
const plain = ({ openai }: CountingModel): string => `
import { createHash, randomUUID } from "node:crypto";
const headers = { authorization: \`Bearer \${process.env.OPENAI_API_KEY}\`, "content-type": "application/json" };
const post = async (path, body) => (await fetch("https://${openai}" + path, { method: "POST", headers, body })).text();
export async function agent(prompt, context) {
  const messages = [{ role: "user", content: prompt }];
  if (prompt.endsWith("differs")) messages.push({ role: "user", content: "attempt " + context.attempt });
  const numbers = [];
  for (let number = 1; number <= ${requestsOfTurn}; number++) {
    const text = await post("/v1/chat/completions", JSON.stringify({ model: "m", user: randomUUID(), messages }));
    const { content } = JSON.parse(text).choices[0].message;
    const [said, signature] = content.split(" ");
    const expected = createHash("sha256").update(JSON.stringify(messages)).digest("hex");
    if (signature !== expected || said !== String(number)) throw new Error("the answer is to another request: " + text);
    messages.push({ role: "assistant", content });
    numbers.push(said);
    await post("/at/" + encodeURIComponent(prompt + " after " + number), "");
  }
  return numbers.join(" ");
}`;

const openaiAgents = ({ openai }: CountingModel): string => `
import { Agent, run, tool } from "@openai/agents";
import { z } from "zod";
export async function agent(prompt) {
  let last = 0;
  const at = async (number) => {
    const headers = { authorization: \`Bearer \${process.env.OPENAI_API_KEY}\` };
    const url = "https://${openai}/at/" + encodeURIComponent(prompt + " after " + number);
    await (await fetch(url, { method: "POST", headers })).text();
  };
  const note = tool({
    name: "note",
    description: "Notes a number.",
    parameters: z.object({ turn: z.string(), number: z.number() }),
    async execute({ number }) {
      if (number !== last + 1) throw new Error("the answer is to another request: " + number);
      last = number;
      await at(number);
      return "kept " + number;
    },
  });
  const agent = new Agent({ name: "noter", model: "gpt-5", tools: [note], toolUseBehavior: "run_llm_again" });
  const result = await run(agent, prompt, { stream: true, maxTurns: 20 });
  for await (const _event of result);
  await at(${requestsOfTurn});
  return String(result.finalOutput);
}`;

const openaiAgentsPython = ({ openai }: CountingModel): string => `
import os
from pathlib import Path
from urllib.request import Request, urlopen

from agents import Agent, Runner, function_tool

notes = Path("notes.txt")


@function_tool(failure_error_function=None)
def note(turn: str, number: int) -> str:
    """Notes a number."""
    known = notes.read_text().splitlines() if notes.exists() else []
    if known != [f"{turn} {one}" for one in range(1, number)]:
        raise RuntimeError(f"the answer is to another request: {turn} {number}")
    notes.write_text("".join(f"{line}\\n" for line in [*known, f"{turn} {number}"]))
    url = f"https://${openai}/at/{turn}%20after%20{number}"
    urlopen(Request(url, method="POST", headers={"authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"})).read()
    return f"kept {number}"


agent = Agent(name="noter", instructions="Note numbers.", model="gpt-5", tools=[note])


async def run_agent(prompt):
    result = Runner.run_streamed(agent, prompt, max_turns=20)
    async for _event in result.stream_events():
        pass
    return result.final_output
`;

const manifest = (retries: object, rest: object): { "dari.yml": string } =>
  manifestFile({ sdk: "function", secrets: ["OPENAI_API_KEY"], retries, ...rest });
const openaiEnv = ({ openai }: CountingModel): Record<string, string> => ({
  OPENAI_BASE_URL: `https://${openai}/v1`,
  OPENAI_AGENTS_DISABLE_TRACING: "1",
});

export const plainAgent: CountingAgent = {
  title: "a plain function",
  prefix: "counted-function",
  files: (model, retries) => ({ ...manifest(retries, { entrypoint: "agent.mjs:agent" }), "agent.mjs": plain(model) }),
};

/** Runs its SDK itself, so that it can wait after the last answer, too. */
export const openaiAgent: CountingAgent = {
  title: "a function that runs an agent of @openai/agents",
  prefix: "counted-openai-js",
  files: (model, retries) => ({
    ...manifest(retries, { entrypoint: "agent.mjs:agent", env: openaiEnv(model) }),
    "package.json": JSON.stringify({ type: "module", dependencies: { "@openai/agents": "0.20.0", zod: "4.6.7" } }),
    "agent.mjs": openaiAgents(model),
  }),
};

/**
 * Agents that the platform runs with their SDK, and one that runs its SDK itself. They write a line of a file for each
 * answer but the last one.
 */
export const sdkAgents: readonly CountingAgent[] = [
  ofOpenaiAgents("openai-agents in Python", "counted-openai-py", {
    sdk: "openai-agents",
    entrypoint: "agent.py:agent",
  }),
  ofOpenaiAgents("a function that runs openai-agents", "counted-openai-fn", { entrypoint: "agent.py:run_agent" }),
  ofExample("claude-agent-sdk-js", "counted-claude-js", anthropicEnv, {
    "src/agent.js": `export const agent = {
      model: "claude-sonnet-4-5", systemPrompt: "You note numbers.", allowedTools: ["Bash"], settingSources: [],
    };`,
  }),
  ofExample("claude-agent-sdk-python", "counted-claude-py", anthropicEnv, {
    "agent.py": `agent = {
    "model": "claude-sonnet-4-5",
    "system_prompt": "You note numbers.",
    "allowed_tools": ["Bash"],
    "setting_sources": [],
}
`,
  }),
  ofExample("opencode", "counted-opencode", openaiEnv),
  ofExample("pi", "counted-pi", anthropicEnv),
];

function ofOpenaiAgents(title: string, prefix: string, of: object): CountingAgent {
  return {
    title,
    prefix,
    files: (model, retries) => ({
      ...manifest(retries, { runtime: { language: "python", version: "3.11" }, env: openaiEnv(model), ...of }),
      "requirements.txt": "openai-agents==0.24.0\n",
      "agent.py": openaiAgentsPython(model),
    }),
  };
}

function anthropicEnv({ anthropic }: CountingModel): Record<string, string> {
  return { ANTHROPIC_BASE_URL: `https://${anthropic}`, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1" };
}

/** Returns the agent of an example with other `files`. */
function ofExample(
  title: string,
  prefix: string,
  env: (model: CountingModel) => Record<string, string>,
  files: BundleFiles = {},
): CountingAgent {
  return {
    title,
    prefix,
    files(model, retries) {
      const example = exampleAgent(title, env(model), files);
      return { ...example, "dari.yml": `${String(example["dari.yml"])}retries: ${JSON.stringify(retries)}\n` };
    },
  };
}
