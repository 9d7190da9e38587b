// Runs an agent of the guest with @openai/agents, so that each fork has compiled the SDK's run loop and its client. The
// model answers from memory, so no request is made. Nothing that the agent has made, set or replaced is called: where
// that is not certain, there is no rehearsal.

import { createActivity } from "../activity.mjs";
import { hasOwnClasses, hasOwnMethods, isClass, isProxy } from "../unchanged.mjs";
import { leaveScope, originalOf, recordRuns, watchedSdk } from "./openai-runs.mjs";

/** V8 compiles some things, such as regular expressions, again on their second use. More runs save nothing. */
const times = 2;
/** When the runs are stopped, and when they are no longer waited for, in milliseconds. */
const limits = { stopMs: 4_500, endMs: 5_000 };
const activityLimits = { activityEvents: 100, activityValueBytes: 65_536, activityPreviewBytes: 65_536 };
const channel = { send: async () => {}, sendLine: async () => {} };
/** No request goes there. */
const baseURL = "http://rehearsal.invalid/v1";
const traceProvider = Symbol.for("openai.agents.core.traceProvider");
/** The SDK puts its storage of the current trace there at its first run. */
const traceContext = Symbol.for("openai.agents.core.asyncLocalStorage");
/** Where OpenTelemetry puts what an agent has registered. */
const telemetry = Symbol.for("opentelemetry.js.api.1");
/** Classes that the rehearsal uses, each with a method of its own. */
const methods = {
  Agent: "getSystemPrompt",
  OpenAIProvider: "getModel",
  OpenAIResponsesModel: "getStreamedResponse",
  Runner: "run",
  TraceProvider: "createSpan",
};

/**
 * Called once the agent is loaded. Resolves with undefined after a rehearsal or without the SDK, and otherwise with the
 * reason, one of those in src/rehearsal.ts. `hasChangedRuntime`: made by `rememberRuntime`.
 */
export async function rehearseOpenai(hasChangedRuntime) {
  const sdk = watchedSdk();
  if (sdk === undefined) return undefined;
  if (hasChangedRuntime()) return "changed";
  const classes = [...Object.keys(methods), "NoopTrace"];
  if (!classes.every((name) => isClass(sdk[name])) || typeof sdk.withTrace !== "function") return "version";
  if (!hasOwnCode(sdk)) return "changed";
  const { DEBUG, OPENAI_LOG } = process.env;
  if (DEBUG !== undefined || OPENAI_LOG !== undefined) return "logging";
  if (isTraced(sdk)) return "tracing";
  const client = await makeClient(sdk);
  return typeof client === "string" ? client : await runWithin(sdk, client);
}

function hasOwnCode(sdk) {
  // A class of the agent that extends the one it replaces.
  const isDerived = ([name, method]) => {
    const { prototype } = sdk[name];
    return !Object.hasOwn(prototype, method) || method in Object.getPrototypeOf(prototype);
  };
  if (Object.entries(methods).some(isDerived)) return false;
  return Object.values(sdk).every((value) => !isClass(value) || hasOwnMethods(value, originalOf));
}

/** Whether the agent has its own provider of traces, or has begun to trace. */
function isTraced(sdk) {
  if (telemetry in globalThis || traceContext in globalThis) return true;
  const provider = Object.getOwnPropertyDescriptor(globalThis, traceProvider)?.value;
  if (provider === undefined || isProxy(provider)) return true;
  if (Object.getPrototypeOf(provider) !== sdk.TraceProvider.prototype) return true;
  return Reflect.ownKeys(provider).length > 0;
}

/** Returns a client of the SDK's own class that answers from memory; a reason if the agent has set another. */
async function makeClient(sdk) {
  if (sdk.getDefaultOpenAIClient?.() !== undefined) return "client";
  const options = { apiKey: "none", baseURL };
  const makeModel = () => new sdk.OpenAIProvider(options).getModel("none");
  const [model, other] = [await makeModel(), await makeModel()];
  // The agent has chosen another API.
  if (Object.getPrototypeOf(model) !== sdk.OpenAIResponsesModel.prototype) return "api";
  const { _client: client } = model;
  if (client === undefined) return "version";
  // Older versions prefer the agent's client to these options.
  if (client === other._client) return "client";
  if (![client, client.responses].every(hasOwnClasses)) return "changed";
  return new client.constructor({ ...options, fetch: createFetch(), maxRetries: 0, logLevel: "off" });
}

/** Returns a fetch that calls a tool and then answers, in turn. */
function createFetch() {
  let requests = 0;
  return async (_url, { signal }) => {
    signal?.throwIfAborted();
    requests += 1;
    const body = requests % 2 === 1 ? call : message;
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
}

async function runWithin(sdk, client) {
  const stopping = new AbortController();
  const endRecord = recordRuns(createActivity(activityLimits, channel), async () => {});
  const stop = setTimeout(() => stopping.abort(), limits.stopMs);
  let end;
  const late = new Promise((resolve) => (end = setTimeout(resolve, limits.endMs, "late")));
  try {
    return await Promise.race([runTimes(sdk, client, stopping.signal), late]);
  } finally {
    clearTimeout(stop);
    clearTimeout(end);
    endRecord();
    leaveScope();
    globalThis[traceContext]?.disable();
    delete globalThis[traceContext];
  }
}

async function runTimes(sdk, client, signal) {
  const { Agent, NoopTrace, OpenAIProvider, Runner, tool } = sdk;
  const modelProvider = new OpenAIProvider({ openAIClient: client, useResponses: true });
  const parameters = { type: "object", properties: {}, required: [], additionalProperties: false };
  const rehearse = tool({ name: "rehearse", description: "-", parameters, strict: true, execute: async () => "done" });
  const agent = new Agent({ name: "rehearsal", instructions: "-", model: "none", tools: [rehearse] });
  const input = [{ type: "message", role: "user", content: [{ type: "input_text", text: "-" }] }];
  const options = { stream: true, signal, callModelInputFilter: async ({ modelData }) => modelData };
  for (let i = 0; i < times && !signal.aborted; i += 1) {
    const runner = new Runner({ tracingDisabled: true, modelProvider });
    // Some versions begin a trace also where tracing is disabled.
    await sdk.withTrace(new NoopTrace(), async () => {
      const stream = await runner.run(agent, input, options);
      for await (const _event of stream);
      await stream.completed;
    });
  }
  return signal.aborted ? "late" : undefined;
}

const message = answerOf(
  {
    id: "msg",
    type: "message",
    role: "assistant",
    status: "completed",
    content: [{ type: "output_text", text: "-", annotations: [], logprobs: [] }],
  },
  [
    ["output_text.delta", { item_id: "msg", content_index: 0, delta: "-", logprobs: [] }],
    ["output_text.done", { item_id: "msg", content_index: 0, text: "-", logprobs: [] }],
  ],
);
const call = answerOf(
  { id: "fc", type: "function_call", status: "completed", call_id: "call", name: "rehearse", arguments: "{}" },
  [["function_call_arguments.delta", { item_id: "fc", delta: "{}" }]],
);

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
  return events
    .map(([type, data], sequence_number) => ({ type: `response.${type}`, sequence_number, ...data }))
    .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
    .join("");
}
