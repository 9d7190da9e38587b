// Records what a session of pi does, from its events.

import { errorOf, msSince, nameOf } from "../activity.mjs";
import { ignoringErrors } from "../errors.mjs";

const kinds = { bash: "shell", edit: "file", find: "file", grep: "file", ls: "file", read: "file", write: "file" };

/** Returns the listener of the session's events, and the number of the request that is answered now. */
export function recordSession({ record, preview, fit }) {
  const calls = new Map();
  let requests = 0;
  let open;
  /** Text of the last answer, which is not the turn's answer if another request follows. */
  let said = [];
  let readySince = performance.now();

  function start({ provider, model }) {
    for (const text of said.splice(0)) void record("assistant.message", fit("text", text));
    requests += 1;
    open = { ordinal: requests, provider: nameOf(provider), model: nameOf(model) };
    void record("model.request_started", open);
  }

  function end({ usage, stopReason, errorMessage, content }) {
    const used = { usage: usageOf(usage ?? {}), finish_reason: nameOf(stopReason) };
    const error = errorMessage && errorOf(errorMessage);
    void record("model.request_completed", { ...open, ...used, error, duration_ms: msSince(readySince) });
    open = undefined;
    const calling = content.some(({ type }) => type === "toolCall");
    for (const part of content) {
      if (part.type === "thinking" && part.thinking) void record("reasoning.completed", fit("text", part.thinking));
      if (part.type === "text" && part.text && (calling || !error)) say(part.text, calling);
      if (part.type === "toolCall") takeCall(part);
    }
  }

  function say(text, isBeforeCall) {
    if (isBeforeCall) void record("assistant.message", fit("text", text));
    else said.push(text);
  }

  function takeCall({ id, name, arguments: given }) {
    calls.set(id, { since: performance.now() });
    const call = { call_id: nameOf(id), name: nameOf(name), kind: kinds[name] ?? "function" };
    void record("tool.call_requested", { ...call, ...fit("arguments", given ?? {}) });
  }

  function show({ type, contentIndex, delta, partial }) {
    if (type === "thinking_delta") void preview("reasoning.delta", { ordinal: open?.ordinal, text: delta });
    const { id, name } = type === "toolcall_delta" ? (partial?.content?.[contentIndex] ?? {}) : {};
    if (id && delta) void preview("tool.arguments_delta", { call_id: nameOf(id), name: nameOf(name), text: delta });
  }

  function take(event) {
    const { type, message } = event;
    if (type === "turn_start") readySince = performance.now();
    else if (type === "message_start" && message.role === "assistant") start(message);
    else if (type === "message_update") show(event.assistantMessageEvent);
    else if (type === "message_end" && message.role === "assistant") {
      if (open === undefined) start(message);
      end(message);
    } else if (type === "tool_execution_start") calls.set(event.toolCallId, { since: performance.now() });
    else if (type === "tool_execution_end") {
      const since = calls.get(event.toolCallId)?.since;
      void record("tool.call_completed", {
        call_id: nameOf(event.toolCallId),
        name: nameOf(event.toolName),
        ...fit("result", resultOf(event.result)),
        is_error: event.isError === true,
        duration_ms: since === undefined ? undefined : msSince(since),
      });
    }
  }

  return { take: (event) => ignoringErrors(() => take(event)), ordinal: () => open?.ordinal };
}

function usageOf({ input = 0, output = 0, cacheRead = 0, cacheWrite = 0, reasoning }) {
  const counts = {
    input_tokens: input + cacheRead + cacheWrite,
    cached_input_tokens: cacheRead,
    output_tokens: output,
  };
  return reasoning === undefined ? counts : { ...counts, reasoning_tokens: reasoning };
}

/** Returns texts as one text. */
function resultOf(result) {
  const content = result?.content;
  if (!Array.isArray(content)) return result;
  return content.every(({ type }) => type === "text") ? content.map(({ text }) => text).join("\n") : content;
}
