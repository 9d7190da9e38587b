// Records what an OpenCode session and its subagents do, from the server's events. Every part of a message can be taken
// several times, so parts whose events were lost can be taken from the session's messages at the end.

import { cutText, errorOf, msSince, nameOf } from "../activity.mjs";
import { ignoringErrors } from "../errors.mjs";

const kinds = {
  apply_patch: "file",
  bash: "shell",
  edit: "file",
  glob: "file",
  grep: "file",
  list: "file",
  multiedit: "file",
  patch: "file",
  read: "file",
  webfetch: "web",
  websearch: "web",
  write: "file",
};
const planItems = 50;
const planItemChars = 500;
const planStatuses = ["pending", "in_progress", "completed", "cancelled"];

/** `servers`: the names of the agent's MCP servers. `since`: when the turn began. */
export function recordSession(activity, { session, servers, since }) {
  const recorder = new SessionRecorder(activity, session, servers);
  return {
    take: (event) => void ignoringErrors(() => recorder.take(event)),
    /** Takes the turn's messages of the session. */
    complete: (messages) =>
      void ignoringErrors(() => {
        const ofTurn = messages.filter(({ info }) => (info.time?.created ?? 0) >= since);
        for (const { info, parts } of ofTurn) recorder.takeMessage(info, parts);
      }),
    /** Returns the number of the request whose answer this message is. */
    ordinalOf: (messageID) => recorder.ordinalOf(messageID),
    /** Resolves when the host accepts more. */
    showReasoning: (messageID, text) =>
      activity.preview("reasoning.delta", { ordinal: recorder.ordinalOf(messageID), text }),
    /** The turn has failed. */
    fail: (error) => void ignoringErrors(() => recorder.fail(error)),
  };
}

class SessionRecorder {
  #activity;
  #servers;
  /** By session: the call that runs it. The turn's own session has none. */
  #origins;
  #infos = new Map();
  #done = new Set();
  #open = new Map();
  /** Texts of which is not known whether a call follows. */
  #texts = new Map();
  #requests = 0;

  constructor(activity, session, servers) {
    this.#activity = activity;
    this.#servers = servers;
    this.#origins = new Map([[session, {}]]);
  }

  take({ type, properties = {} }) {
    if (type === "message.updated") this.#takeInfo(properties.info);
    if (type === "message.part.updated") this.#takePart(properties.part);
    const origin = this.#origins.get(properties.sessionID);
    if (type !== "todo.updated" || origin === undefined) return;
    void this.#activity.record("plan.updated", { items: planOf(properties.todos), ...origin });
  }

  ordinalOf(messageID) {
    return this.#open.get(messageID)?.named.ordinal;
  }

  takeMessage(info, parts) {
    this.#infos.set(info.id, info);
    for (const part of parts) this.#takePart(part);
    this.#takeInfo(info);
  }

  fail(error) {
    for (const messageID of [...this.#open.keys()]) this.#endRequest(messageID, { error: errorOf(error) });
  }

  #takeInfo(info) {
    this.#infos.set(info.id, info);
    if (info.error) this.#endRequest(info.id, { error: errorOf(textOf(info.error)) });
  }

  #takePart(part) {
    const origin = this.#origins.get(part.sessionID);
    // The person's own message has parts too.
    if (origin === undefined || this.#infos.get(part.messageID)?.role === "user") return;
    if (part.type === "step-start" && this.#once(part.id)) this.#startRequest(part, origin);
    else if (part.type === "step-finish" && this.#once(part.id)) this.#finishRequest(part);
    else if (part.type === "tool") this.#takeTool(part, origin);
    else if (part.type === "text" && !this.#done.has(part.id)) this.#texts.set(part.id, part);
    else if (part.type === "reasoning" && part.time?.end !== undefined && part.text && this.#once(part.id)) {
      this.#recordText("reasoning.completed", part.text, origin);
    }
  }

  #once(key) {
    if (this.#done.has(key)) return false;
    this.#done.add(key);
    return true;
  }

  #recordText(type, text, origin) {
    void this.#activity.record(type, { ...this.#activity.fit("text", text), ...origin });
  }

  #startRequest({ messageID }, origin) {
    const { providerID, modelID } = this.#infos.get(messageID) ?? {};
    this.#requests += 1;
    const named = { ordinal: this.#requests, provider: nameOf(providerID), model: nameOf(modelID), ...origin };
    this.#open.set(messageID, { named, since: performance.now() });
    void this.#activity.record("model.request_started", named);
  }

  #finishRequest({ messageID, tokens, reason }) {
    this.#endRequest(messageID, { usage: usageOf(tokens), finish_reason: nameOf(reason) });
  }

  #endRequest(messageID, fields) {
    const request = this.#open.get(messageID);
    if (request === undefined) return;
    this.#open.delete(messageID);
    const ended = { ...request.named, ...fields, duration_ms: msSince(request.since) };
    void this.#activity.record("model.request_completed", ended);
  }

  #takeTool(part, origin) {
    const { callID, tool, state } = part;
    if (state.status === "pending") return;
    const server = this.#servers.find((name) => tool.startsWith(`${name}_`));
    const name = nameOf(server === undefined ? tool : tool.slice(server.length + 1));
    const subagent = tool === "task" ? nameOf(state.input?.subagent_type) : undefined;
    const call = { call_id: nameOf(callID), name, ...origin };
    if (this.#once(`${part.id} requested`)) {
      this.#sayBeforehand(part.messageID, origin);
      const kind = server === undefined ? (kinds[tool] ?? "function") : "mcp";
      const given = this.#activity.fit("arguments", state.input ?? {});
      void this.#activity.record("tool.call_requested", { ...call, kind, server: nameOf(server), ...given });
      const started = { name: subagent, parent_call_id: call.call_id };
      if (subagent) void this.#activity.record("subagent.started", started);
    }
    const child = state.metadata?.sessionId ?? state.metadata?.sessionID;
    if (child !== undefined) this.#origins.set(child, { agent: subagent, parent_call_id: call.call_id });
    if (state.status !== "running" && this.#once(`${part.id} completed`)) this.#endTool(call, subagent, state);
  }

  #endTool(call, subagent, { status, time, output, error, attachments }) {
    const { record, fit } = this.#activity;
    const is_error = status === "error";
    const duration_ms = Math.max(0, Math.round((time?.end ?? 0) - (time?.start ?? 0)));
    const result = fit("result", is_error ? error : resultOf(output, attachments));
    void record("tool.call_completed", { ...call, is_error, duration_ms, ...result });
    if (!subagent) return;
    void record("subagent.completed", { name: subagent, parent_call_id: call.call_id, is_error, duration_ms });
  }

  /** Text that a call follows is not the answer. */
  #sayBeforehand(messageID, origin) {
    for (const [id, part] of this.#texts) {
      if (part.messageID !== messageID) continue;
      this.#texts.delete(id);
      if (part.text && this.#once(id)) this.#recordText("assistant.message", part.text, origin);
    }
  }
}

function usageOf({ input = 0, output = 0, reasoning = 0, cache = {} } = {}) {
  const cached = cache.read ?? 0;
  return {
    input_tokens: input + cached + (cache.write ?? 0),
    cached_input_tokens: cached,
    output_tokens: output,
    reasoning_tokens: reasoning,
  };
}

/** Returns the text of a result, with the files that the tool returned beside it. */
function resultOf(output, attachments = []) {
  const files = attachments.map(({ url, filename }) => ({ type: "file", url, filename }));
  return files.length === 0 ? output : [{ type: "text", text: output }, ...files];
}

const textOf = ({ name, data }) => [name, data?.message].filter(Boolean).join(": ");

function planOf(todos) {
  return todos.slice(0, planItems).map(({ content, status }) => {
    return { text: cutText(content, planItemChars), status: planStatuses.includes(status) ? status : "pending" };
  });
}
