// Shows what a model of @openai/agents writes besides text: reasoning, and the arguments of calls.

import { nameOf } from "../activity.mjs";

const reasoning = ["response.reasoning_summary_text.delta", "response.reasoning_text.delta"];
const argumentsOfCalls = [
  "response.function_call_arguments.delta",
  "response.custom_tool_call_input.delta",
  "response.mcp_call_arguments.delta",
];

/**
 * Returns what takes the events of one answer, as the model's server sends them. Calls of the tools in `handoffs` are
 * not shown. `take` resolves when the host accepts more.
 */
export function previewAnswer({ preview }, handoffs) {
  const calls = new Map();

  function showArguments(at, text) {
    const call = calls.get(at);
    if (call === undefined || !text || handoffs.has(call.name)) return undefined;
    return preview("tool.arguments_delta", { ...call, text });
  }

  const note = (at, callId, name) => calls.set(at, { call_id: nameOf(callId), name: nameOf(name) });

  /** Takes an event of the Responses API. */
  function takeEvent({ type, item, output_index: at, summary_index: part, delta }, ordinal) {
    if (reasoning.includes(type)) return preview("reasoning.delta", { ordinal, text: delta });
    if (type === "response.reasoning_summary_part.added" && part > 0) {
      return preview("reasoning.delta", { ordinal, text: "\n\n" });
    }
    if (type === "response.output_item.added" && item?.name) note(at, item.call_id ?? item.id, item.name);
    return argumentsOfCalls.includes(type) ? showArguments(at, delta) : undefined;
  }

  /** Takes what a chunk of Chat Completions adds. */
  async function takeChunk({ reasoning_content: content, reasoning: text = content, tool_calls: parts }, ordinal) {
    if (text) await preview("reasoning.delta", { ordinal, text });
    for (const { index, id, function: called } of parts ?? []) {
      if (id && called?.name) note(index, id, called.name);
      await showArguments(index, called?.arguments);
    }
  }

  return {
    take(event, ordinal) {
      const delta = event?.choices?.[0]?.delta;
      return delta ? takeChunk(delta, ordinal).catch(() => {}) : takeEvent(event, ordinal);
    },
  };
}
