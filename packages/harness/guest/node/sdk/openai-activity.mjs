// Records one run of @openai/agents: its requests to models, and the tool calls of their answers.

import { cutText, errorChars, errorOf, msSince, nameOf, stackOf } from "../activity.mjs";
import { ignoringErrors } from "../errors.mjs";
import { serverOf } from "./openai-mcp.mjs";
import { previewAnswer } from "./openai-previews.mjs";

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

export class RunRecorder {
  turn;
  #sdk;
  #agent;
  /** The tool call that this run belongs to, and whether that call has started it. */
  #parent;
  #isSubagent;
  #isInner;
  #calls = new Map();
  #startedAt = new Map();
  /** What tools threw, by call. */
  #errors = new Map();

  /** `outer`: the run and the tool call that this one is started in. */
  constructor(sdk, turn, outer) {
    this.#sdk = sdk;
    this.turn = turn;
    this.#isInner = outer !== undefined;
    this.#isSubagent = outer?.callId !== undefined;
    this.#parent = outer?.callId ?? outer?.run.#parent;
  }

  /** `state`: what the run continues from. Its open calls were requested in another attempt. */
  begin(agent, state) {
    this.#agent = agent;
    for (const { rawItem, name, agent: by } of state?.getInterruptions() ?? []) {
      this.#calls.set(rawItem?.callId, { name: nameOf(name ?? rawItem?.name), agent: nameOf(by?.name) });
    }
    if (this.#isSubagent) this.#record("subagent.started", this.#subagent());
  }

  /** Records the end of a subagent. The errors of other runs stay unhandled if the agent does not handle them. */
  follow(running) {
    if (!this.#isSubagent) return;
    const subagent = this.#subagent();
    const since = performance.now();
    const end = (isError) =>
      this.#record("subagent.completed", { ...subagent, is_error: isError, duration_ms: msSince(since) });
    const finish = async () => {
      const result = await running;
      await result.completed;
      // An interrupted run waits for a person and continues in another attempt.
      if ((result.interruptions?.length ?? 0) === 0) end(false);
    };
    finish().catch(() => end(true));
  }

  /** Another agent continues the run. */
  enter(agent) {
    this.#agent = agent;
  }

  startTool(details) {
    this.#startedAt.set(details?.toolCall?.callId, performance.now());
  }

  /** The SDK tells the model something else. */
  failTool(callId, name, error) {
    const text = stackOf(error);
    this.#errors.set(callId, cutText(text, errorChars));
    // The log has the whole text: a secret that a cut divides would not be found and removed.
    process.stderr.write(`tool ${name} failed: ${text}\n`);
  }

  endTool(agent, tool, result, details) {
    const callId = details?.toolCall?.callId;
    if (callId !== undefined) this.#complete(callId, result, { name: tool?.name, agent: nameOf(agent?.name) });
  }

  handOff(from, to) {
    this.#record("agent.handoff", { from_agent: nameOf(from.name), to_agent: nameOf(to.name) });
  }

  newRequest(model, name) {
    const { activity } = this.turn;
    const by = this.#agent;
    const previews = previewAnswer(activity, handoffNames(this.#sdk, by));
    let named;
    let since;
    let reason;
    const finish = (fields) => {
      if (named === undefined) return undefined;
      const ended = { ...named, ...fields, duration_ms: msSince(since) };
      named = undefined;
      return activity.record("model.request_completed", ended);
    };
    const complete = ({ usage, output = [], providerData }) => {
      if (named === undefined) return undefined;
      named.model ??= nameOf(providerData?.model);
      const finish_reason = nameOf(reason ?? finishOf(providerData));
      const accepted = finish({ usage: usage && usageOf(usage), finish_reason });
      this.#takeAnswer(output, by);
      return accepted;
    };
    // Each resolves when the host accepts more.
    return {
      begin: (request) =>
        ignoringErrors(() => {
          if (Array.isArray(request.input)) this.#settle(request.input);
          this.turn.requests += 1;
          since = performance.now();
          named = { ordinal: this.turn.requests, ...namesOf(this.#sdk, model, name), ...this.#originOf(by) };
          return activity.record("model.request_started", named);
        }),
      take: ({ type, event, response }) =>
        ignoringErrors(() => {
          if (type === "response_done") return complete(response);
          if (type !== "model" || named === undefined) return undefined;
          named.model ??= nameOf(event?.response?.model ?? event?.model);
          reason = event?.choices?.[0]?.finish_reason ?? reason;
          return previews.take(event, named.ordinal);
        }),
      showText: (text) => (this.#isInner ? undefined : this.turn.onText?.(text, named?.ordinal)),
      complete: (response) => ignoringErrors(() => complete(response)),
      fail: (error) => ignoringErrors(() => finish({ error: errorOf(error) })),
    };
  }

  #record(type, data) {
    void this.turn.activity.record(type, data);
  }

  #subagent() {
    return { name: nameOf(this.#agent?.name) ?? "agent", parent_call_id: this.#parent };
  }

  #originOf(agent) {
    return { agent: nameOf(agent?.name), parent_call_id: this.#parent };
  }

  /** Completes calls that ended without running a tool: those that a person has refused, for example. */
  #settle(items) {
    for (const { type, callId, output } of items) {
      const isOpen = this.#calls.has(callId) && !this.#calls.get(callId).isDone;
      if (!isOpen || output === undefined || type.endsWith("_call")) continue;
      this.#complete(callId, output?.type === "text" ? output.text : output);
    }
  }

  #complete(callId, result, { name, agent, ...more } = {}) {
    const call = this.#calls.get(callId);
    if (call?.isDone) return;
    this.#calls.set(callId, { ...call, isDone: true });
    const since = this.#startedAt.get(callId);
    const error = this.#errors.get(callId);
    this.#record("tool.call_completed", {
      call_id: nameOf(callId),
      name: nameOf(call?.name ?? name) ?? "tool",
      ...this.turn.activity.fit("result", result),
      is_error: error !== undefined || (typeof result === "string" && toolError.test(result)),
      error,
      duration_ms: since === undefined ? undefined : msSince(since),
      agent: call?.agent ?? agent,
      parent_call_id: this.#parent,
      ...more,
    });
  }

  #takeAnswer(output, by) {
    const handoffs = handoffNames(this.#sdk, by);
    const calls = output.some((item) => item.type?.endsWith("_call"));
    for (const item of output) {
      const { type = "message" } = item;
      if (type === "reasoning") this.#say("reasoning.completed", item, by);
      else if (type === "message" && calls) this.#say("assistant.message", item, by);
      else if (type.endsWith("_call") && !handoffs.has(item.name)) this.#takeCall(item, by);
    }
  }

  #say(type, item, by) {
    const text = textOf(item);
    if (text !== "") this.#record(type, { ...this.turn.activity.fit("text", text), ...this.#originOf(by) });
  }

  #takeCall(item, by) {
    const callId = nameOf(item.callId ?? item.id);
    if (callId === undefined) return;
    const { type, name, server } = calledBy(item, by);
    const kind = server === undefined ? (kinds[type] ?? "function") : "mcp";
    const origin = this.#originOf(by);
    this.#calls.set(callId, { name, agent: origin.agent });
    const call = { call_id: callId, name: nameOf(name) ?? "tool", kind, server: nameOf(server), ...origin };
    this.#record("tool.call_requested", { ...call, ...this.turn.activity.fit("arguments", argumentsOf(item)) });
    // The model's server runs this one itself.
    if (item.type !== "hosted_tool_call") return;
    this.#complete(callId, item.output ?? item.status, { is_error: item.status === "failed" });
  }
}

/** A model that is an object says its name only in its answer. */
function namesOf(sdk, model, name) {
  const isOpenai = [sdk.OpenAIResponsesModel, sdk.OpenAIChatCompletionsModel].some((of) => of && model instanceof of);
  const own = isOpenai ? { provider: "openai" } : {};
  if (typeof name !== "string" || name === "") return own;
  const [provider, ...rest] = name.split("/");
  if (rest.length === 0) return { ...own, model: nameOf(name) };
  return { provider: nameOf(provider), model: nameOf(rest.join("/")) };
}

/** Returns why an answer ended: the Responses API says it in the status, Chat Completions in the choice. */
function finishOf({ status, incomplete_details: incomplete, choices } = {}) {
  return choices?.[0]?.finish_reason ?? incomplete?.reason ?? status;
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
