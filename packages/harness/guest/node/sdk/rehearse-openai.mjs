// Runs an agent of the guest with @openai/agents, against a model server in this process, so that each fork has
// compiled the SDK's run loop and its client. Uses only what the SDK exports, and nothing that the agent has made.

import { hasSubscribers } from "node:diagnostics_channel";
import { createActivity } from "../activity.mjs";
import { toEvents, toReply, withServer } from "../rehearse-requests.mjs";
import { recordRuns } from "./openai-runs.mjs";
import { loadPackage } from "./resolve-package.mjs";

const { fetch } = globalThis;
/** Where OpenTelemetry keeps what an agent has registered. */
const telemetry = Symbol.for("opentelemetry.js.api.1");
/** After so many runs, V8 compiles little more in a fork. */
const times = 6;
/** Time limit of all runs, in milliseconds. */
const withinMs = 10_000;
const limits = { activityEvents: 100, activityValueBytes: 65_536, activityPreviewBytes: 65_536 };
const channel = { send: async () => {}, sendLine: async () => {} };

/** Called once the agent is loaded. Does nothing if the agent's code would notice it. */
export async function rehearseOpenai(file) {
  if (isWatched()) return;
  const sdk = await loadPackage("@openai/agents", file, "");
  const stopping = new AbortController();
  const late = setTimeout(() => stopping.abort(), withinMs);
  const endRecord = recordRuns(createActivity(limits, channel), async () => {});
  try {
    let requests = 0;
    const reply = () => answers[(requests += 1) % answers.length];
    await withServer(reply, async (origin) => {
      for (let i = 0; i < times; i += 1) await run(sdk, origin, stopping.signal);
    });
  } finally {
    endRecord();
    clearTimeout(late);
  }
}

/** Whether the agent's code has replaced `fetch` or is told of requests, or the SDK logs them. */
function isWatched() {
  const { DEBUG, OPENAI_LOG } = process.env;
  const isLogged = DEBUG !== undefined || OPENAI_LOG !== undefined;
  return globalThis.fetch !== fetch || telemetry in globalThis || hasSubscribers("undici:request:create") || isLogged;
}

async function run({ Agent, OpenAIProvider, Runner, tool }, origin, signal) {
  const modelProvider = new OpenAIProvider({ apiKey: "none", baseURL: origin, useResponses: true });
  const runner = new Runner({ tracingDisabled: true, modelProvider });
  const parameters = { type: "object", properties: {}, required: [], additionalProperties: false };
  const rehearse = tool({ name: "rehearse", description: "-", parameters, strict: true, execute: async () => "done" });
  const agent = new Agent({ name: "rehearsal", instructions: "-", model: "none", tools: [rehearse] });
  const input = [{ type: "message", role: "user", content: [{ type: "input_text", text: "-" }] }];
  const stream = await runner.run(agent, input, { stream: true, signal });
  for await (const _event of stream);
  await stream.completed;
}

const message = {
  id: "msg",
  type: "message",
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text: "-", annotations: [], logprobs: [] }],
};
const call = {
  id: "fc",
  type: "function_call",
  status: "completed",
  call_id: "call",
  name: "rehearse",
  arguments: "{}",
};
const answers = [
  answerOf(message, [
    ["output_text.delta", { item_id: "msg", content_index: 0, delta: "-", logprobs: [] }],
    ["output_text.done", { item_id: "msg", content_index: 0, text: "-", logprobs: [] }],
  ]),
  answerOf(call, [["function_call_arguments.delta", { item_id: "fc", delta: "{}" }]]),
];

/** Returns a reply of the Responses API: one item, and the events of its parts. */
function answerOf(item, parts) {
  const usage = {
    input_tokens: 1,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 1,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 2,
  };
  const response = {
    id: "resp",
    object: "response",
    created_at: 1,
    model: "none",
    parallel_tool_calls: true,
    tools: [],
  };
  const events = [
    ["created", { response: { ...response, status: "in_progress", output: [], usage: null } }],
    ["output_item.added", { output_index: 0, item }],
    ...parts.map(([type, part]) => [type, { output_index: 0, ...part }]),
    ["output_item.done", { output_index: 0, item }],
    ["completed", { response: { ...response, status: "completed", output: [item], usage } }],
  ];
  const named = events.map(([type, data], sequence_number) => ({ type: `response.${type}`, sequence_number, ...data }));
  return toReply("text/event-stream", toEvents(named));
}
