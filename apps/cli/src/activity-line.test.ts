// Tests what one line says of an event, and how much --verbose adds.

import { expect, test } from "@jest/globals";
import type { StreamedEvent } from "@dari/contract";
import { activityLine } from "./activity-line.ts";

const lineOf = (type: string, data: object, isVerbose = false) =>
  activityLine({ type, data } as StreamedEvent, isVerbose);
const textOf = (type: string, data: object, isVerbose = false) => lineOf(type, data, isVerbose)?.text;

test("a tool call is one line, and so is its failure", () => {
  const call = { call_id: "call_1", name: "search", kind: "function", arguments: { query: "Rome" } };
  expect(textOf("tool.call_requested", call)).toBe('search {"query":"Rome"}');
  expect(textOf("tool.call_requested", { ...call, server: "maps" })).toBe('maps: search {"query":"Rome"}');
  expect(lineOf("tool.call_completed", { ...call, result: "found", is_error: false })).toBeUndefined();
  expect(lineOf("tool.call_completed", { ...call, result: "Error:\n no", is_error: true, duration_ms: 1_234 })).toEqual(
    {
      text: "search failed, 1.2 s: Error: no",
      isFailure: true,
    },
  );
  expect(textOf("tool.call_requested", { ...call, arguments: "x".repeat(900) })).toHaveLength(128);
});

test("names cannot write lines of their own", () => {
  const call = { call_id: "call_1", name: "a\ncreated msg_1", kind: "function", arguments: {} };
  expect(textOf("tool.call_requested", call)).toBe("a created msg_1 {}");
  expect(textOf("tool.call_completed", { ...call, result: "x", is_error: true })).toBe("a created msg_1 failed: x");
  expect(textOf("subagent.started", { name: "a\nb" })).toBe("subagent a b starts");
});

test("--verbose shows arguments and results as they are, up to a limit", () => {
  const call = { call_id: "call_1", name: "read", is_error: false, duration_ms: 12 };
  expect(textOf("tool.call_completed", { ...call, result: "one\ntwo" }, true)).toBe("read returned, 12 ms: one\ntwo");
  expect(textOf("tool.call_completed", { ...call, result: "x".repeat(9_000) }, true)).toHaveLength(2_023);
  const request = { ordinal: 1, model: "m-1", duration_ms: 900, usage: { input_tokens: 12, output_tokens: 3 } };
  expect(textOf("model.request_completed", request)).toBeUndefined();
  expect(textOf("model.request_completed", request, true)).toBe(
    "m-1 answered, 900 ms, input_tokens 12, output_tokens 3",
  );
  const step = { name: "charge", ordinal: 2, is_replayed: true };
  expect(textOf("step.completed", step)).toBeUndefined();
  expect(textOf("step.completed", step, true)).toBe("step charge #2: recorded result");
  expect(textOf("step.completed", { ...step, ordinal: 1, is_replayed: false, duration_ms: 5 }, true)).toBe(
    "step charge: completed, 5 ms",
  );
});

test.each([
  ["reasoning.completed", { text: "Because of\nthis." }, "reasoning (16 characters)"],
  ["reasoning.completed", { text: "Because", text_bytes: 40_960 }, "reasoning (40 KiB)"],
  ["agent.handoff", { from_agent: "triage", to_agent: "billing" }, "triage hands over to billing"],
  ["subagent.started", { name: "explore" }, "subagent explore starts"],
  ["subagent.completed", { name: "explore", is_error: true, duration_ms: 20 }, "subagent explore failed, 20 ms"],
  ["model.request_completed", { ordinal: 1, duration_ms: 5, error: "HTTP 529" }, "the model failed, 5 ms: HTTP 529"],
  ["agent.events_omitted", { count: 7 }, "7 more events of this attempt are not stored"],
  ["model.request_started", { ordinal: 1 }, undefined],
])("%s %j", (type, data, text) => expect(textOf(type, data)).toBe(text));

test("a plan says what is done and what is next", () => {
  const items = [
    { text: "read", status: "completed" },
    { text: "write", status: "in_progress" },
    { text: "test", status: "pending" },
  ];
  expect(textOf("plan.updated", { items })).toBe("plan: 1 of 3 done; now: write");
});
