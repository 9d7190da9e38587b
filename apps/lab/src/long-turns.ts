// Turns that last for minutes, of every pair of SDK and language at once: each is shown an image and has a subagent (pi
// has none). Subagents with their own stream write for that long, otherwise the main conversation does: longer than
// HTTP clients wait in silence. Needs the package registries.
//
//   npm run lab -- long-turns [--seconds 400] [--only opencode]

import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@dari/client";
import { startAnthropicServer, startOpenaiServer, type ModelReply, type ModelRequest } from "@dari/testkit";
import { deploy, textPart, type Platform } from "./conversation.ts";
import { readFlags } from "./flags.ts";
import { longTurnPairs, type LongTurnPair } from "./long-turn-pairs.ts";
import { exampleAgent, pixel, upload } from "./sdk-agents.ts";
import { startStandalone } from "./standalone-process.ts";

const flags = readFlags({ seconds: { type: "string", default: "400" }, only: { type: "string" } });
const seconds = flags.whole("seconds");
const pieceEveryMs = 5_000;
const usage = { inputTokens: 100, outputTokens: 10, reasoningTokens: 3 };
const answer = "The long turn is over";
const pairs = longTurnPairs.filter(({ title }) => title.includes(flags.values.only ?? ""));

/** Yields text in pieces for as long as the turn should last. */
async function* slowly(): AsyncGenerator<string> {
  const endsAt = performance.now() + seconds * 1_000;
  while (performance.now() < endsAt) {
    yield "working ";
    await sleep(pieceEveryMs);
  }
  yield answer;
}

interface Seen {
  requests: number;
  hasImage: boolean;
}

const seen = new Map(pairs.map(({ title }) => [title, { requests: 0, hasImage: false } as Seen]));

/** The main conversation's prompt names its pair, and so does the prompt of its subagent. */
function play(request: ModelRequest): ModelReply {
  const pair = pairs.find(({ title }) => request.text.includes(`<${title}>`));
  // OpenCode also asks for a title of the session.
  if (pair === undefined || !isOfTurn(request)) return { text: "A title", usage };
  const noted = seen.get(pair.title)!;
  noted.requests += 1;
  noted.hasImage ||= request.text.includes(pixel);
  if (isLead(request)) return lead(request, pair);
  return { text: pair.isSlow === "subagent" ? slowly() : "quickly", usage };
}

const isOfTurn = ({ body, text }: ModelRequest): boolean => Array.isArray(body["tools"]) || text.includes("subagent");
const isLead = ({ text }: ModelRequest): boolean => text.includes("Begin a long turn");

function lead(request: ModelRequest, { title, delegates, isSlow }: LongTurnPair): ModelReply {
  const calls = delegates?.(request, `Work as a subagent of <${title}>`);
  const hasCalled = /"(function_call_output|tool_result|tool_use)"/.test(request.text);
  if (calls !== undefined && !hasCalled) return { toolCalls: [calls], usage };
  return { text: isSlow === "main" ? slowly() : answer, usage };
}

async function runPair(platform: Platform, pair: LongTurnPair, agentId: string) {
  const session = await platform.client.createSession(agentId);
  const image = await upload(platform, "chart.png", Buffer.from(pixel, "base64"));
  const parts = [textPart(`Begin a long turn of <${pair.title}>`), { type: "image" as const, file_id: image }];
  const startedAt = performance.now();
  const sent = await platform.client.sendMessageAsync(session.id, { parts });
  const record = await platform.client.waitForMessage(sent);
  const text = (record.output?.parts ?? []).map((part) => (part.type === "text" ? part.text : "")).join("");
  const { requests, hasImage } = seen.get(pair.title)!;
  const { usage: used = {}, error } = record.output ?? {};
  const isRight = text.endsWith(answer) && record.attempt === 1 && hasImage;
  return {
    pair: pair.title,
    seconds: Math.round((performance.now() - startedAt) / 1_000),
    status: record.status,
    attempt: record.attempt,
    image: hasImage,
    asked: requests,
    requests: used["requests"],
    tokens: used["total_tokens"],
    ...(error === undefined ? {} : { error }),
    ok: isRight && used["requests"] === requests && used["total_tokens"] === requests * 110,
  };
}

await using openai = await startOpenaiServer(play);
await using anthropic = await startAnthropicServer(play);
await using standalone = await startStandalone({
  DARI_EGRESS_ALLOW: `127.0.0.1:${openai.port},127.0.0.1:${anthropic.port}`,
  DARI_WORKER_SLOTS: String(Math.max(4, pairs.length + 2)),
});
const platform: Platform = { ...standalone, client: createClient(standalone) };
for (const name of ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"]) await platform.client.putCredential(name, "sk-of-the-lab");
const env = {
  openai: { OPENAI_BASE_URL: `${openai.url}/v1`, OPENAI_AGENTS_DISABLE_TRACING: "1" },
  anthropic: { ANTHROPIC_BASE_URL: anthropic.url, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1" },
};
async function deployAndRun(pair: LongTurnPair) {
  const { agentId } = await deploy(platform, exampleAgent(pair.example, env[pair.provider], pair.files));
  return runPair(platform, pair, agentId);
}
const rows = await Promise.all(pairs.map(deployAndRun));
for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`);
process.exitCode = rows.every(({ ok, seconds: took }) => ok && took >= seconds) ? 0 : 1;
