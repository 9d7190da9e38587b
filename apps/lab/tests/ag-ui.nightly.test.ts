// The unmodified package `@ag-ui/client` of npm against a running platform.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { deployFiles } from "../src/deploy-files.ts";
import { npmPackage } from "../src/npm-programs.ts";
import { checkout } from "../src/program.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";
import { callApi, importPackage, showingAgent } from "../src/ui-chat.ts";

const agUiVersion = "1.0.0";

let platform: StandaloneProcess;
let agentId: string;

beforeAll(async () => {
  platform = await startStandalone();
  ({ agentId } = await deployFiles(platform, showingAgent));
}, 180_000);
afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
}, 120_000);

async function createSession(): Promise<string> {
  return String((await callApi(platform, "POST", `/v1/agents/${agentId}/sessions`, {}))["id"]);
}

interface AgUiAgent {
  readonly messages: readonly { readonly content?: unknown }[];
  readonly pendingInterrupts: readonly { readonly id: string; readonly message: string }[];
  addMessage(message: object): void;
  runAgent(parameters?: object, subscriber?: object): Promise<{ readonly result: unknown }>;
}

interface AgUiPackage {
  readonly HttpAgent: new (config: object) => AgUiAgent;
}

describe("AG-UI's client", () => {
  let client: AgUiPackage;
  beforeAll(async () => {
    client = await importPackage("@ag-ui/client", agUiVersion, "dist/index.mjs");
  }, 180_000);

  function open(sessionId: string): AgUiAgent {
    const headers = { Authorization: `Bearer ${platform.apiKey}` };
    return new client.HttpAgent({
      url: `${platform.apiUrl}/v1/sessions/${sessionId}/ag-ui`,
      threadId: sessionId,
      headers,
    });
  }

  let lastId = 0;
  async function say(agent: AgUiAgent, content: unknown, parameters: object = {}): Promise<string[]> {
    const types: string[] = [];
    if (content !== undefined) agent.addMessage({ id: `ui-${(lastId += 1)}`, role: "user", content });
    await agent.runAgent(parameters, {
      onEvent: ({ event }: { event: { type: string } }) => void types.push(event.type),
    });
    return types;
  }

  const contents = (agent: AgUiAgent) => agent.messages.map(({ content }) => content);

  test("runs, shows calls and events, and has the conversation", async () => {
    const sessionId = await createSession();
    const agent = open(sessionId);
    expect(await say(agent, "hello")).toEqual(
      expect.arrayContaining(["RUN_STARTED", "TEXT_MESSAGE_END", "RUN_FINISHED"]),
    );
    expect(await say(agent, "look up")).toEqual(
      expect.arrayContaining(["TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END", "TOOL_CALL_RESULT"]),
    );
    expect(await say(agent, "emit")).toContain("CUSTOM");
    expect(contents(agent)).toContain("found You said: look up");
    const reloaded = open(sessionId);
    expect(await say(reloaded, undefined)).toEqual(["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_FINISHED"]);
    // Texts are previewed, so the client has them before calls that are stored in the meantime.
    expect(contents(reloaded).map(String).sort()).toEqual(contents(agent).map(String).sort());
    await say(reloaded, "more");
    expect(contents(reloaded).at(-1)).toBe("You said: more");
  });

  test("sends parts", async () => {
    const agent = open(await createSession());
    const value = Buffer.from("inside ").toString("base64");
    await say(agent, [
      { type: "text", text: "read" },
      { type: "document", source: { type: "data", value, mimeType: "text/plain" } },
    ]);
    expect(contents(agent).at(-1)).toBe("inside You said: read");
  });

  test("answers an interrupt, and abandons one", async () => {
    const agent = open(await createSession());
    await say(agent, "refund");
    const [asked] = agent.pendingInterrupts;
    expect(asked?.message).toBe("Refund?");
    const resume = [{ interruptId: asked?.id, status: "resolved", payload: { approved: true } }];
    await say(agent, undefined, { resume });
    expect(contents(agent).at(-1)).toBe("refunded You said: refund");
    await say(agent, "refund");
    const abandoned = [{ interruptId: agent.pendingInterrupts[0]?.id, status: "cancelled" }];
    await say(agent, "other", { resume: abandoned });
    expect(contents(agent).at(-1)).toBe("You said: other");
  });

  test("runs the program of the docs: a call, and a question that is answered", async () => {
    const page = await readFile(path.join(checkout, "docs/ai-sdk.md"), "utf8");
    const [, program = ""] = /^## AG-UI$.*?```js\n(.*?)```/ms.exec(page) ?? [];
    expect(program).toContain("my-agent");
    const home = await npmPackage("@ag-ui/client", agUiVersion);
    const file = path.resolve(home, "../../..", `chat-${process.pid}.mjs`);
    await writeFile(file, program.replace("my-agent", agentId));
    try {
      const chat = async (said: string, typed = ""): Promise<string> => {
        const env = { ...process.env, DARI_API_URL: platform.apiUrl, DARI_API_KEY: platform.apiKey };
        const running = promisify(execFile)(process.execPath, [file, ...said.split(" ")], { env });
        running.child.stdin?.end(typed);
        return (await running).stdout;
      };
      // Texts are previewed, so they can come before the call.
      expect((await chat("look up")).replace("[lookup]\n", "")).toBe("found You said: look up");
      expect(await chat("refund", "y\n")).toBe("Refund? [y/n] refunded You said: refund");
    } finally {
      await rm(file);
    }
  }, 60_000);

  test("gets a failed turn, and a refusal, as errors", async () => {
    const agent = open(await createSession());
    expect(await say(agent, "fail")).toContain("RUN_ERROR");
    const tools = [{ name: "f", description: "d", parameters: {} }];
    await expect(say(open(await createSession()), "x", { tools })).rejects.toThrow("tools");
  });
});
