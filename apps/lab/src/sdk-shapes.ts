// Agents of OpenAI's SDK in the shapes of real repositories: who creates the Agent, how it is exported, its handoffs
// and MCP servers. Each answers "Rome" if `answers` plays the model.

import type { ModelReply, ModelRequest } from "@dari/testkit";
import type { BundleFiles } from "./bundle.ts";

export interface SdkShape {
  readonly title: string;
  readonly entrypoint: string;
  readonly files: BundleFiles;
  readonly answers: (request: ModelRequest) => ModelReply;
  /** The expected answer. */
  readonly says: string;
}

const rome = (): ModelReply => ({ text: "Rome" });
const calls = (name: string, given: Record<string, unknown> = {}): ModelReply => ({
  toolCalls: [{ name, arguments: given }],
});
const hasCalled = ({ text }: ModelRequest): boolean => text.includes("function_call_output");

/** An MCP server on stdin and stdout with one tool. */
export const nodeServer = `
import { createInterface } from "node:readline";
const tool = { name: "lookup", description: "x", inputSchema: { type: "object", properties: {} } };
const results = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "lookup", version: "1" },
  }),
  "tools/list": () => ({ tools: [tool] }),
  "tools/call": () => ({ content: [{ type: "text", text: "found it" }] }),
};
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) continue;
  const found = results[method]?.(params);
  const rest = found === undefined ? { error: { code: -32601, message: "unknown" } } : { result: found };
  console.log(JSON.stringify({ jsonrpc: "2.0", id, ...rest }));
}`;

export const pythonServer = `
import json, sys
TOOL = {"name": "lookup", "description": "x", "inputSchema": {"type": "object", "properties": {}}}
RESULTS = {
    "initialize": lambda given: {
        "protocolVersion": given["protocolVersion"],
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "lookup", "version": "1"},
    },
    "tools/list": lambda given: {"tools": [TOOL]},
    "tools/call": lambda given: {"content": [{"type": "text", "text": "found it"}]},
}
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    make = RESULTS.get(asked["method"])
    rest = {"result": make(asked.get("params"))} if make else {"error": {"code": -32601, "message": "unknown"}}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **rest}), flush=True)
`;

const asksServer = (request: ModelRequest): ModelReply => {
  if (hasCalled(request)) return { text: request.text.includes("found it") ? "Rome" : "nothing was found" };
  return calls("lookup");
};

const handsOver = (tool: string) => (request: ModelRequest) =>
  hasCalled(request) ? { text: [`{"city":`, `"Rome"}`] } : calls(tool);

const jsPackage = {
  "package.json": JSON.stringify({ dependencies: { "@openai/agents": "0.20.0", zod: "4.6.7" } }),
};

export const jsShapes: readonly SdkShape[] = [
  {
    title: "the default export in TypeScript, with paths of tsconfig, handing over to an agent with an output type",
    entrypoint: "src/agent.ts:default",
    files: {
      ...jsPackage,
      "tsconfig.json": `{ "extends": "@tsconfig/node22", "compilerOptions": { "paths": { "@/*": ["./src/*"] } } }`,
      "src/names.ts": `export const name: string = "Triage";`,
      "src/agent.ts": `import { Agent, handoff } from "@openai/agents";
        import { z } from "zod";
        import { name } from "@/names";
        const booker = new Agent({ name: "Booker", instructions: "Book.", outputType: z.object({ city: z.string() }) });
        export default Agent.create({ name, instructions: "Ask the booker.", handoffs: [handoff(booker)] });`,
    },
    answers: handsOver("transfer_to_Booker"),
    says: `{"city":"Rome"}`,
  },
  {
    title: "a promise",
    entrypoint: "src/agent.mjs:agent",
    files: {
      ...jsPackage,
      "src/agent.mjs": `import { Agent } from "@openai/agents";
        const make = async () => new Agent({ name: "Made", instructions: "Answer." });
        export const agent = make();`,
    },
    answers: rome,
    says: "Rome",
  },
  {
    title: "a function that makes it, in CommonJS",
    entrypoint: "agent.js:makeAgent",
    files: {
      ...jsPackage,
      "agent.js": `const { Agent } = require("@openai/agents");
        exports.makeAgent = async () => new Agent({ name: "Made", instructions: "Answer." });`,
    },
    answers: rome,
    says: "Rome",
  },
  {
    title: "an agent with a server of its own that nobody has connected",
    entrypoint: "src/agent.ts:agent",
    files: {
      ...jsPackage,
      "src/server.mjs": nodeServer,
      "src/agent.ts": `import { Agent, MCPServerStdio } from "@openai/agents";
        import { fileURLToPath } from "node:url";
        const args = [fileURLToPath(new URL("./server.mjs", import.meta.url))];
        const server = new MCPServerStdio({ name: "lookup", command: process.execPath, args });
        export const agent = new Agent({ name: "Guide", instructions: "Look it up.", mcpServers: [server] });`,
    },
    answers: asksServer,
    says: "Rome",
  },
];

const requirements = { "requirements.txt": "openai-agents==0.24.0\n" };

export const pythonShapes: readonly SdkShape[] = [
  {
    title: "an agent that hands over to one with an output type, whose defaults are part of the answer",
    entrypoint: "agent.py:agent",
    files: {
      ...requirements,
      "agent.py": `
from pydantic import BaseModel
from agents import Agent, AgentOutputSchema, handoff

class Trip(BaseModel):
    city: str
    days: int = 3

trip = AgentOutputSchema(Trip, strict_json_schema=False)
booker = Agent(name="Booker", instructions="Book.", output_type=trip)
agent = Agent(name="Triage", instructions="Ask the booker.", handoffs=[handoff(booker)])
`,
    },
    answers: handsOver("transfer_to_booker"),
    says: `{"city":"Rome","days":3}`,
  },
  {
    title: "a coroutine function that makes it, in a package under src/",
    entrypoint: "src/my_agent/main.py:make_agent",
    files: {
      "pyproject.toml": `[project]\nname = "my-agent"\nversion = "1"\ndependencies = ["openai-agents==0.24.0"]\n`,
      "src/my_agent/__init__.py": "",
      "src/my_agent/types.py": `NAME = "Made"\n`,
      "src/my_agent/main.py": `
from agents import Agent
from my_agent.types import NAME

async def make_agent():
    return Agent(name=NAME, instructions="Answer.")
`,
    },
    answers: rome,
    says: "Rome",
  },
  {
    title: "an agent with a server of its own that nobody has connected",
    entrypoint: "agent.py:agent",
    files: {
      ...requirements,
      "server.py": pythonServer,
      "agent.py": `
import sys
from pathlib import Path
from agents import Agent
from agents.mcp import MCPServerStdio

server = MCPServerStdio(params={"command": sys.executable, "args": [str(Path(__file__).parent / "server.py")]})
agent = Agent(name="Guide", instructions="Look it up.", mcp_servers=[server])
`,
    },
    answers: asksServer,
    says: "Rome",
  },
];
