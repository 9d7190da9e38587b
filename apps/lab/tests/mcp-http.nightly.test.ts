// The Python client of MCP and the inspector's command against a running platform.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { manifestFile } from "../src/conversation.ts";
import { run } from "../src/curl.ts";
import { deployFiles } from "../src/deploy-files.ts";
import { npmPackage } from "../src/npm-programs.ts";
import { pythonEnvironment, type PythonEnvironment } from "../src/python-environment.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";

const inspectorVersion = "2.12.0";
const pythonVersion = "2.3.0";

const manifest = { name: "greeter", entrypoint: "agent.mjs:agent" };
const agentFiles = {
  ...manifestFile(manifest),
  "agent.mjs": `export async function agent(prompt, context) {
      if (prompt === "ask") return "told " + (await context.requestInput("who", { type: "string" }));
      return "You said: " + prompt;
    }`,
};

const script = `
import asyncio, json, os
import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult

async def answer(context, params):
    print("asked", params.message)
    return ElicitResult(action="accept", content={"answer": "Kim"})

async def talk(mode):
    headers = {"Authorization": "Bearer " + os.environ["DARI_API_KEY"]}
    async with httpx2.AsyncClient(headers=headers, timeout=120) as http:
        transport = streamable_http_client(os.environ["MCP_URL"], http_client=http)
        async with Client(transport, mode=mode, elicitation_callback=answer) as client:
            print(mode, [tool.name for tool in (await client.list_tools()).tools])
            for text in ("hello", "ask"):
                result = await client.call_tool("greeter", {"text": text, "wait_seconds": 100})
                turn = json.loads(result.content[0].text)
                print(turn["status"], turn["answer"], turn.get("waits_for", {}).get("key"))

for mode in ("auto", "legacy"):
    asyncio.run(talk(mode))
`;

const dir = mkdtempSync(path.join(tmpdir(), "dari-mcp-http-"));
let platform: StandaloneProcess;

beforeAll(async () => {
  platform = await startStandalone();
  await deployFiles(platform, agentFiles);
}, 180_000);

afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
}, 120_000);

test("the Python client talks to an agent as a tool, and asks a person", async () => {
  const python: PythonEnvironment = await pythonEnvironment("mcp", [`mcp==${pythonVersion}`]);
  writeFileSync(path.join(dir, "talk.py"), script);
  const env = { DARI_API_KEY: platform.apiKey, MCP_URL: `${platform.apiUrl}/mcp?agents=greeter` };
  const { code, stdout, stderr } = await run(python.program("python"), [path.join(dir, "talk.py")], { env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const tools = "['greeter', 'get_message', 'answer_message', 'list_messages']";
  expect(stdout.trim().split("\n")).toEqual([
    `auto ${tools}`,
    "completed You said: hello None",
    "asked who",
    "completed told Kim None",
    `legacy ${tools}`,
    "completed You said: hello None",
    "waiting_for_input  who",
  ]);
}, 300_000);

test.each(["modern", "legacy"])(
  "the inspector's command lists and calls tools, %s",
  async (era) => {
    const home = await npmPackage("@modelcontextprotocol/inspector", inspectorVersion);
    const inspect = (...args: string[]) =>
      run(
        process.execPath,
        [
          path.join(home, "clients/launcher/build/index.js"),
          "--cli",
          `${platform.apiUrl}/mcp`,
          ...["--transport", "http", "--protocol-era", era, "--header", `Authorization: Bearer ${platform.apiKey}`],
          ...args,
        ],
        {},
      );
    const listed = await inspect("--method", "tools/list");
    expect([listed.code, listed.stdout]).toEqual([0, expect.stringContaining("send_message")]);
    const called = await inspect("--method", "tools/call", "--tool-name", "list_agents");
    expect([called.code, called.stdout]).toEqual([0, expect.stringContaining("greeter")]);
  },
  600_000,
);
