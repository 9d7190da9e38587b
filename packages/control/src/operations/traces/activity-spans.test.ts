// The spans of model requests, tool calls and subagents.

import { expect, test } from "@jest/globals";
import { eventSpans } from "./event-spans.ts";
import { spanIdOf, traceIdsFor } from "./trace-ids.ts";

const ids = { org: "org_1", session: "sess_1", message: "msg_1", attempt: "att_1" };
const spanOf = (event: string, fields: object) => {
  const [span, ...others] = eventSpans[event]!({ ...ids, ...fields }, 10_000);
  expect(others).toEqual([]);
  return span!;
};

test("a model request is a chat span below the agent's, with its tokens", () => {
  const usage = {
    input_tokens: 1_200,
    output_tokens: 80,
    cached_input_tokens: 1_000,
    reasoning_tokens: 0,
    requests: 1,
  };
  const asked = { ordinal: 2, provider: "openai", model: "gpt-4.1", usage, finish_reason: "stop", agent: "Planner" };
  expect(spanOf("model.request_completed", { ...asked, duration_ms: 1_500 })).toEqual({
    traceId: traceIdsFor("msg_1").traceId,
    spanId: spanIdOf("att_1", "chat 2"),
    parentSpanId: spanIdOf("att_1", "agent"),
    name: "chat gpt-4.1",
    kind: "client",
    startMs: 8_500,
    endMs: 10_000,
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "gpt-4.1",
      "gen_ai.agent.name": "Planner",
      "gen_ai.usage.input_tokens": 1_200,
      "gen_ai.usage.output_tokens": 80,
      "gen_ai.usage.cache_read.input_tokens": 1_000,
      "gen_ai.usage.reasoning.output_tokens": 0,
      "gen_ai.response.finish_reasons": ["stop"],
      "gen_ai.conversation.id": "sess_1",
    },
    failure: undefined,
  });
  expect(spanOf("model.request_completed", { ordinal: 1, is_error: true, duration_ms: 1 })).toMatchObject({
    name: "chat",
    attributes: { "error.type": "_OTHER" },
    failure: "failed",
  });
});

test("a subagent's span is below the tool call that runs it, and above what it does", () => {
  const call = { call_id: "call_1", name: "Task", is_error: false, duration_ms: 9_000 };
  const tool = spanOf("tool.call_completed", call);
  const subagent = spanOf("subagent.completed", { name: "reviewer", parent_call_id: "call_1", is_error: true });
  const inner = spanOf("tool.call_completed", { ...call, call_id: "call_2", name: "Read", parent_call_id: "call_1" });
  expect([tool, subagent, inner].map(({ name }) => name)).toEqual([
    "execute_tool Task",
    "invoke_agent reviewer",
    "execute_tool Read",
  ]);
  const agent = spanIdOf("att_1", "agent");
  expect([tool, subagent, inner].map((span) => span.parentSpanId)).toEqual([agent, tool.spanId, subagent.spanId]);
  expect(tool.attributes).toEqual({
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": "Task",
    "gen_ai.tool.call.id": "call_1",
    "gen_ai.conversation.id": "sess_1",
  });
  expect(subagent.attributes).toMatchObject({ "gen_ai.agent.name": "reviewer", "error.type": "_OTHER" });
});
