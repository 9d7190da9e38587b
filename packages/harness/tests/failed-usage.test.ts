// The usage of a failed turn: each SDK's runner, with a package that replaces the SDK and fails after one answer.

import { afterAll, expect, test } from "@jest/globals";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { runTurn, type Language, type ReportFrame, type TurnEnding } from "../src/index.ts";
import { findRuntimes, requestFor, sampleContext, startGuest } from "./guest-fixture.ts";

const runtimes = findRuntimes();
const dirs: string[] = [];
afterAll(async () => {
  for (const dir of dirs) await rm(dir, { recursive: true, force: true });
});

async function play(
  language: Language,
  sdk: string,
  files: Record<string, string>,
  onFrame: (frame: ReportFrame) => void = () => {},
): Promise<TurnEnding> {
  const runtime = runtimes.find((one) => one.language === language)!;
  const imageDir = await mkdtemp(join(tmpdir(), "harness-test-usage-"));
  dirs.push(imageDir);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(imageDir, name)), { recursive: true });
    await writeFile(join(imageDir, name), content, { mode: 0o755 });
  }
  const guest = await startGuest(runtime, [], { HOME: join(imageDir, "home") });
  try {
    const request = requestFor(runtime, guest, "agent", { file: language === "python" ? "agent.py" : "agent.mjs" });
    const context = { ...sampleContext, parts: [{ type: "text" as const, text: "hi" }], history: [] };
    return await runTurn({
      ...guest,
      request: { ...request, imageDir, sdk, context },
      timeoutMs: 20_000,
      signal: new AbortController().signal,
      beforeCall: () => Promise.resolve(),
      onFrame,
    });
  } finally {
    await guest.end();
  }
}

const modules = (name: string, code: string): Record<string, string> => ({
  [`node_modules/${name}/package.json`]: JSON.stringify({ name, exports: "./index.mjs" }),
  [`node_modules/${name}/index.mjs`]: code,
});

const started = '{ id: "a", model: "m", usage: { input_tokens: 10, cache_read_input_tokens: 4, output_tokens: 1 } }';
const claude = (end: string): Record<string, string> => ({
  "agent.mjs": "export const agent = { model: 'm' };",
  ...modules(
    "@anthropic-ai/claude-agent-sdk",
    `export async function* query() {
      const event = (event) => ({ type: "stream_event", parent_tool_use_id: null, event });
      yield event({ type: "message_start", message: ${started} });
      yield { type: "assistant", parent_tool_use_id: null, message: ${started} };
      yield event({ type: "message_delta", delta: {}, usage: { output_tokens: 5 } });
      ${end}
    }`,
  ),
});
const result = `yield { type: "result", subtype: "error_during_execution", errors: ["the model is away"],
  total_cost_usd: 2, modelUsage: { m: { inputTokens: 10, cacheReadInputTokens: 4, outputTokens: 5 } } };`;

const claudeInPython = `
from types import SimpleNamespace
class StreamEvent(SimpleNamespace): pass
class AssistantMessage(SimpleNamespace): pass
class ResultMessage(SimpleNamespace): pass
class ClaudeAgentOptions(SimpleNamespace):
    cwd = can_use_tool = resume = hooks = None
class HookMatcher(SimpleNamespace): pass
types = SimpleNamespace(StreamEvent=StreamEvent)
async def query(prompt, options):
    usage = {"input_tokens": 10, "cache_read_input_tokens": 4, "output_tokens": 1}
    start = {"type": "message_start", "message": {"id": "a", "usage": usage}}
    yield StreamEvent(parent_tool_use_id=None, event=start)
    yield AssistantMessage(model="m", message_id="a", usage=usage)
    end = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 5}}
    yield StreamEvent(parent_tool_use_id=None, event=end)
    raise RuntimeError("the model is away")
`;

const pi = `export const SessionManager = { create: () => ({}) };
  const messages = [];
  const said = { role: "assistant", content: [] };
  const prompt = async () => void messages.push(
    { role: "user" },
    { ...said, stopReason: "toolUse", usage: { input: 10, cacheRead: 4, output: 5, cost: { total: 2 } } },
    { ...said, stopReason: "error", errorMessage: "the model is away, 401 Unauthorized" });
  export const createAgentSession = async () => ({ session: { messages, prompt, subscribe() {} } });`;

const opencode = `let created;
  const tokens = { input: 10, output: 5, cache: { read: 4 } };
  const session = {
    create: async () => ({ data: { id: "s" } }),
    prompt: async () => {
      created = Date.now();
      return { data: { info: { error: { message: "the model is away" } }, parts: [] } };
    },
    messages: async () => ({ data: [{ info: { role: "assistant", time: { created }, tokens, cost: 2 } }] }),
  };
  const properties = { part: { id: "p", sessionID: "s", messageID: "m", type: "step-start" } };
  async function* events() {
    yield { type: "message.part.updated", properties };
    yield { type: "session.idle", properties: { sessionID: "s" } };
  }
  export const createOpencodeClient = () => ({ session, event: { subscribe: async () => ({ stream: events() }) } });`;
const server = "#!/bin/sh\necho opencode server listening on http://127.0.0.1:1\nexec sleep 1000\n";
const platform = `node_modules/opencode-${process.platform}-${process.arch}`;
const opencodeFiles = {
  "agent.mjs": "export const agent = { name: 'a', instructions: 'b' };",
  ...modules("@opencode-ai/sdk", opencode),
  [`${platform}/package.json`]: "{}",
  [`${platform}/bin/opencode`]: server,
};

const used = { input_tokens: 14, output_tokens: 5, total_tokens: 19, cached_input_tokens: 4 };

test.each<[string, Language, string, Record<string, string>, Record<string, number>, string]>([
  [
    "Claude without a result",
    "typescript",
    "claude-agent-sdk",
    claude('throw new Error("the model is away");'),
    {},
    "agent_error",
  ],
  ["Claude with a result", "typescript", "claude-agent-sdk", claude(result), { cost_usd: 2 }, "agent_error"],
  [
    "Claude in Python",
    "python",
    "claude-agent-sdk",
    { "agent.py": "agent = {'model': 'm'}\n", "claude_agent_sdk.py": claudeInPython },
    {},
    "agent_error",
  ],
  [
    "pi",
    "typescript",
    "pi",
    { "agent.mjs": "export const agent = {};", ...modules("@earendil-works/pi-coding-agent", pi) },
    { requests: 2, cost_usd: 2 },
    "credential_refused",
  ],
  ["OpenCode", "typescript", "opencode", opencodeFiles, { reasoning_tokens: 0, cost_usd: 2 }, "agent_error"],
])("%s: what was used before the failure counts", async (_title, language, sdk, files, others, code) => {
  const ending = await play(language, sdk, files);
  const message = expect.stringContaining("the model is away");
  expect(ending).toMatchObject({ kind: "failed", failure: { code, message } });
  expect(ending).toHaveProperty("usage", { requests: 1, ...used, ...others });
});

test("OpenCode: a model request without an answer is completed with the turn's error", async () => {
  const frames: ReportFrame[] = [];
  await play("typescript", "opencode", opencodeFiles, (frame) => frames.push(frame));
  const error = "Error: OpenCode: the model is away";
  expect(frames).toMatchObject([
    { type: "model.request_started" },
    { type: "model.request_completed", data: { ordinal: 1, error } },
  ]);
});
