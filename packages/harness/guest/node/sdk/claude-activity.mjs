// Records what a session of @anthropic-ai/claude-agent-sdk does, from its messages. Messages of a subagent name the
// tool call that runs it as their parent.

import { errorOf, msSince, nameOf } from "../activity.mjs";
import { ignoringErrors } from "../errors.mjs";
import { openPlan } from "./claude-plan.mjs";

const kinds = {
  Bash: "shell",
  BashOutput: "shell",
  KillBash: "shell",
  KillShell: "shell",
  bash_code_execution: "shell",
  code_execution: "shell",
  Edit: "file",
  Glob: "file",
  Grep: "file",
  LS: "file",
  MultiEdit: "file",
  NotebookEdit: "file",
  Read: "file",
  Write: "file",
  WebFetch: "web",
  WebSearch: "web",
  web_fetch: "web",
  web_search: "web",
};
const ofServer = /^mcp__(.+?)__(.+)$/s;
/** The tool that runs a subagent, by its newer and its older name. */
const delegates = ["Agent", "Task"];
/** The model of messages that the SDK itself creates. */
const synthetic = "<synthetic>";

/** Pass each message of the session to `take`. `tasks`: what `tasks` returned in the session's last turn. */
export function recordSession(activity, tasks) {
  const plan = openPlan(tasks);
  const session = new SessionRecorder(activity, plan);
  return {
    /** Resolves when the host accepts more. */
    take: (message) => ignoringErrors(() => session.take(message)),
    /** The session has failed. */
    fail: (error) => ignoringErrors(() => session.fail(error)),
    /** Returns the number of the main conversation's request that is answered now. */
    ordinal: () => session.ordinal(),
    tasks: plan.entries,
  };
}

class SessionRecorder {
  #activity;
  #plan;
  #calls = new Map();
  #open = new Map();
  /** By parent: when its next request can begin, and text of which is not known whether a call follows. */
  #readySince = new Map();
  #said = new Map();
  #counted = new Set();
  #begun = performance.now();
  #requests = 0;

  constructor(activity, plan) {
    this.#activity = activity;
    this.#plan = plan;
  }

  take({ type, subtype, message, event, parent_tool_use_id, tool_use_id, tool_use_result, status }) {
    const parent = parent_tool_use_id ?? undefined;
    if (type === "stream_event") return this.#takeEvent(event, parent);
    if (type === "assistant") this.#takeAnswer(message, parent);
    if (type === "user" && Array.isArray(message.content)) {
      for (const block of message.content) {
        if (block.type === "tool_result") this.#takeResult(block, parent, tool_use_result);
      }
    }
    if (type === "system" && subtype === "task_notification") this.#endSubagent(tool_use_id, status !== "completed");
    return undefined;
  }

  fail(error) {
    for (const parent of [...this.#open.keys()]) void this.#end(parent, { error: errorOf(error) });
  }

  ordinal() {
    return this.#open.get(undefined)?.named.ordinal;
  }

  #originOf(parent) {
    return { agent: this.#calls.get(parent)?.subagent, parent_call_id: nameOf(parent) };
  }

  #start(parent, { id, model, usage }) {
    this.#sayBeforehand(parent);
    this.#counted.add(id);
    this.#requests += 1;
    const named = { ordinal: this.#requests, model: nameOf(model), ...this.#originOf(parent) };
    const since = this.#readySince.get(parent) ?? this.#begun;
    this.#open.set(parent, { named, usage: { ...usage }, since, blocks: new Map() });
    return this.#activity.record("model.request_started", named);
  }

  #end(parent, fields = {}) {
    const { named, usage, since, reason } = this.#open.get(parent);
    this.#open.delete(parent);
    const used = { usage: usageOf(usage), finish_reason: nameOf(reason) };
    const ended = { ...named, ...used, ...fields, duration_ms: msSince(since) };
    return this.#activity.record("model.request_completed", ended);
  }

  /** Text that something follows is not the answer. */
  #sayBeforehand(parent) {
    const text = this.#said.get(parent);
    this.#said.delete(parent);
    if (text) this.#recordText("assistant.message", text, parent);
  }

  #recordText(type, text, parent) {
    void this.#activity.record(type, { ...this.#activity.fit("text", text), ...this.#originOf(parent) });
  }

  #takeEvent(event, parent) {
    if (event.type === "message_start") return this.#start(parent, event.message);
    const request = this.#open.get(parent);
    if (request === undefined) return undefined;
    if (event.type === "message_delta") {
      for (const [name, count] of Object.entries(event.usage ?? {})) if (count) request.usage[name] = count;
      request.reason = event.delta?.stop_reason ?? request.reason;
    }
    if (event.type === "content_block_start") request.blocks.set(event.index, event.content_block);
    if (event.type === "content_block_delta") return this.#preview(request, event);
    return event.type === "message_stop" ? this.#end(parent) : undefined;
  }

  #preview({ named, blocks }, { index, delta }) {
    const { preview } = this.#activity;
    if (delta.type === "thinking_delta") {
      return preview("reasoning.delta", { ordinal: named.ordinal, text: delta.thinking });
    }
    const { id, name } = blocks.get(index) ?? {};
    if (delta.type !== "input_json_delta" || !delta.partial_json || id === undefined) return undefined;
    return preview("tool.arguments_delta", { call_id: nameOf(id), name: nameOf(name), text: delta.partial_json });
  }

  #takeAnswer({ id, model, usage, stop_reason, content }, parent) {
    if (model === synthetic) return;
    // Some versions do not stream a subagent's requests.
    if (id !== undefined && !this.#counted.has(id)) {
      void this.#start(parent, { id, model, usage });
      this.#open.get(parent).reason = stop_reason;
      void this.#end(parent);
    }
    for (const block of content) this.#takeBlock(block, parent);
  }

  #takeBlock(block, parent) {
    const { type } = block;
    if (type === "text") this.#said.set(parent, (this.#said.get(parent) ?? "") + block.text);
    else if (type === "thinking" && block.thinking) this.#recordText("reasoning.completed", block.thinking, parent);
    else if (type.endsWith("tool_use")) this.#takeCall(block, parent);
    else if (type.endsWith("tool_result")) this.#takeResult(block, parent);
  }

  #takeCall({ id, name, input, server_name }, parent) {
    const { record, fit } = this.#activity;
    this.#sayBeforehand(parent);
    const [, server = server_name, tool = name] = ofServer.exec(name) ?? [];
    const subagent = delegates.includes(name) ? (nameOf(input?.subagent_type) ?? "general-purpose") : undefined;
    const isRunning = subagent !== undefined;
    const planned = this.#plan.changes(name) ? input : undefined;
    this.#calls.set(id, { name: nameOf(tool), since: performance.now(), subagent, isRunning, planned });
    const origin = this.#originOf(parent);
    const kind = server === undefined ? (kinds[name] ?? "function") : "mcp";
    const call = { call_id: nameOf(id), name: nameOf(tool), kind, server: nameOf(server), ...origin };
    void record("tool.call_requested", { ...call, ...fit("arguments", input ?? {}) });
    if (isRunning) void record("subagent.started", { name: subagent, parent_call_id: nameOf(id) });
  }

  #takeResult({ tool_use_id: id, content, is_error }, parent, output) {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#readySince.set(parent, performance.now());
    void this.#activity.record("tool.call_completed", {
      call_id: nameOf(id),
      name: call.name,
      ...this.#activity.fit("result", resultOf(content)),
      is_error: is_error === true,
      duration_ms: msSince(call.since),
      ...this.#originOf(parent),
    });
    if (call.planned !== undefined && is_error !== true) {
      const items = ignoringErrors(() => this.#plan.apply(call.name, call.planned, output));
      if (items !== undefined) void this.#activity.record("plan.updated", { items, ...this.#originOf(parent) });
    }
    // The result of a subagent in the background says only that it has started.
    if (output?.status !== "async_launched") this.#endSubagent(id, is_error === true);
  }

  #endSubagent(id, is_error) {
    const call = this.#calls.get(id);
    if (!call?.isRunning) return;
    call.isRunning = false;
    const ended = { name: call.subagent, parent_call_id: nameOf(id), is_error, duration_ms: msSince(call.since) };
    void this.#activity.record("subagent.completed", ended);
  }
}

function usageOf(usage) {
  const cached = usage.cache_read_input_tokens ?? 0;
  return {
    input_tokens: (usage.input_tokens ?? 0) + cached + (usage.cache_creation_input_tokens ?? 0),
    cached_input_tokens: cached,
    output_tokens: usage.output_tokens ?? 0,
  };
}

/** Returns texts as one text. */
function resultOf(content) {
  const isText = Array.isArray(content) && content.every(({ type }) => type === "text");
  return isText ? content.map(({ text }) => text).join("\n") : content;
}
