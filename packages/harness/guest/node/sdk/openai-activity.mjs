// Records what a run of @openai/agents does, from its stream and its hooks. The run is ahead of the reader of its
// stream, so what happens after a model's answer waits until the answer has been read.

import { errorOf, msSince, nameOf } from "../activity.mjs";
import { ignoringErrors } from "../errors.mjs";
import { serverOf } from "./openai-mcp.mjs";

const { parse } = JSON;
/** What the SDK's default function for errors of tools returns to the model. */
const toolError = /^An error occurred while (running the tool|parsing tool arguments)\b/;
const kinds = {
  computer_call: "computer",
  shell_call: "shell",
  local_shell_call: "shell",
  apply_patch_call: "file",
  web_search_call: "web",
  file_search_call: "file",
  code_interpreter_call: "shell",
  mcp_call: "mcp",
};

/** `runner` is a Runner of the SDK; pass `onRequest` to its run as `callModelInputFilter`, and each event to `take`. */
export function recordRun(sdk, runner, activity) {
  const run = new RunRecorder(sdk, activity);
  runner.on("agent_tool_start", (_context, _agent, _tool, details) => run.startTool(details));
  runner.on("agent_tool_end", (_context, _agent, tool, result, details) => void run.endTool(tool, result, details));
  runner.on("agent_handoff", (_context, from, to) => void run.handOff(from, to));
  return {
    /** Call it before a run continues from a state. */
    resume: (state) => ignoringErrors(() => run.resume(state)),
    async onRequest({ modelData, agent }) {
      await run.request(agent, performance.now());
      return modelData;
    },
    /** Resolves when the host accepts more. */
    take: (event) => ignoringErrors(() => run.take(event)),
    /** The run has ended: nothing more of its stream is read. */
    end: (error) => run.end(error),
  };
}

class RunRecorder {
  #sdk;
  #activity;
  #calls = new Map();
  #startedAt = new Map();
  #waiting = [];
  #requests = 0;
  /** The request whose answer has not been read. */
  #open;

  constructor(sdk, activity) {
    this.#sdk = sdk;
    this.#activity = activity;
  }

  /** The calls that wait in a state were requested in another attempt. */
  resume(state) {
    for (const { rawItem, name, agent } of state.getInterruptions()) {
      this.#calls.set(rawItem?.callId, { name: nameOf(name ?? rawItem?.name), agent: nameOf(agent?.name) });
    }
  }

  request(agent, since) {
    return this.#after(() => {
      this.#requests += 1;
      const named = { ordinal: this.#requests, ...namesOf(agent.model), agent: nameOf(agent.name) };
      this.#open = { named, since, by: agent };
      return this.#activity.record("model.request_started", named);
    });
  }

  startTool(details) {
    this.#startedAt.set(details?.toolCall?.callId, performance.now());
  }

  endTool(tool, result, details) {
    const callId = details?.toolCall?.callId;
    return callId === undefined ? undefined : this.#after(() => this.#complete(callId, tool?.name, result));
  }

  handOff(from, to) {
    return this.#after(() => {
      return this.#activity.record("agent.handoff", { from_agent: nameOf(from.name), to_agent: nameOf(to.name) });
    });
  }

  take({ type, data, name, item }) {
    if (type === "run_item_stream_event" && name === "tool_output") {
      const { callId, name: called, output } = item.rawItem ?? {};
      return this.#after(() => this.#complete(callId, called, item.output ?? output));
    }
    if (type !== "raw_model_stream_event" || this.#open === undefined) return undefined;
    const { named } = this.#open;
    if (data.type === "model") named.model ??= nameOf(data.event?.response?.model ?? data.event?.model);
    return data.type === "response_done" ? this.#takeAnswer(data.response) : undefined;
  }

  end(error) {
    if (this.#open !== undefined && error !== undefined) void this.#endRequest({ error: errorOf(error) });
    this.#open = undefined;
    return this.#drain();
  }

  #after(step) {
    this.#waiting.push(step);
    return this.#drain();
  }

  #drain() {
    let accepted;
    while (this.#open === undefined && this.#waiting.length > 0) accepted = ignoringErrors(this.#waiting.shift());
    return accepted;
  }

  #endRequest(fields) {
    const { named, since } = this.#open;
    this.#open = undefined;
    return this.#activity.record("model.request_completed", { ...named, ...fields, duration_ms: msSince(since) });
  }

  #complete(callId, name, result, more = {}) {
    const call = this.#calls.get(callId);
    if (call?.isDone) return undefined;
    this.#calls.set(callId, { ...call, isDone: true });
    const since = this.#startedAt.get(callId);
    return this.#activity.record("tool.call_completed", {
      call_id: nameOf(callId),
      name: nameOf(call?.name ?? name) ?? "tool",
      ...this.#activity.fit("result", result),
      is_error: typeof result === "string" && toolError.test(result),
      duration_ms: since === undefined ? undefined : msSince(since),
      agent: call?.agent,
      ...more,
    });
  }

  #takeAnswer({ usage, output = [] }) {
    const { named, by } = this.#open;
    const { agent } = named;
    const handoffs = handoffNames(this.#sdk, by);
    void this.#endRequest({ usage: usage && usageOf(usage) });
    const calls = output.some((item) => item.type?.endsWith("_call"));
    for (const item of output) {
      const { type = "message" } = item;
      if (type === "reasoning") this.#say("reasoning.completed", item, agent);
      else if (type === "message" && calls) this.#say("assistant.message", item, agent);
      else if (type.endsWith("_call") && !handoffs.has(item.name)) this.#takeCall(item, agent, by);
    }
    return this.#drain();
  }

  #say(type, item, agent) {
    const text = textOf(item);
    if (text !== "") void this.#activity.record(type, { ...this.#activity.fit("text", text), agent });
  }

  #takeCall(item, agent, by) {
    const callId = nameOf(item.callId ?? item.id);
    if (callId === undefined) return;
    const { type, name, server } = calledBy(item, by);
    const kind = server === undefined ? (kinds[type] ?? "function") : "mcp";
    this.#calls.set(callId, { name, agent });
    const call = { call_id: callId, name: nameOf(name) ?? "tool", kind, server: nameOf(server), agent };
    const { record, fit } = this.#activity;
    void record("tool.call_requested", { ...call, ...fit("arguments", argumentsOf(item)) });
    // The model's server runs this one itself.
    if (item.type !== "hosted_tool_call") return;
    void this.#complete(callId, name, item.output ?? item.status, { is_error: item.status === "failed" });
  }
}

/** A model that is an object says its name only in its answer. */
function namesOf(model) {
  if (typeof model !== "string" || model === "") return {};
  const [provider, ...rest] = model.split("/");
  return rest.length === 0 ? { model: nameOf(model) } : { provider: nameOf(provider), model: nameOf(rest.join("/")) };
}

function handoffNames(sdk, agent) {
  const names = (agent.handoffs ?? []).map((one) => one.toolName ?? sdk.getHandoff?.(one).toolName);
  return new Set(names);
}

function calledBy(item, agent) {
  if (item.type !== "hosted_tool_call") {
    const name = item.name ?? item.type.replace(/_call$/, "");
    return { type: item.type, name, server: item.type === "function_call" ? serverOf(agent, name) : undefined };
  }
  const { server_label: server, name = item.name.replace(/_call$/, "") } = item.providerData ?? {};
  return { type: item.name, name, server };
}

function argumentsOf(item) {
  const given = item.arguments ?? item.action ?? item.actions ?? item.operation ?? item.providerData?.action;
  if (typeof given !== "string") return given ?? {};
  try {
    return parse(given);
  } catch {
    return given;
  }
}

/** Returns the text of a message, or what a model shows of its reasoning. */
function textOf({ content, rawContent }) {
  if (typeof content === "string") return content;
  const texts = (parts) => (parts ?? []).flatMap(({ text, refusal }) => text ?? refusal ?? []).join("\n\n");
  return texts(content) || texts(rawContent);
}

function usageOf(usage) {
  const sum = (details, key) => [details ?? []].flat().reduce((total, one) => total + (one?.[key] ?? 0), 0);
  return {
    input_tokens: usage.inputTokens ?? 0,
    cached_input_tokens: sum(usage.inputTokensDetails, "cached_tokens"),
    output_tokens: usage.outputTokens ?? 0,
    reasoning_tokens: sum(usage.outputTokensDetails, "reasoning_tokens"),
  };
}
