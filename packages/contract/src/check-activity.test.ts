// What an agent's process may report about itself: known types, known fields, bounded values.

import { expect, test } from "@jest/globals";
import { limits } from "@dari/domain";
import { findActivityProblem } from "./check-activity.ts";
import { activityKinds } from "./schemas/activity.ts";
import { activityTypes } from "./vocabulary.ts";

const call = { call_id: "call_1", name: "search", kind: "function", arguments: { query: "Rome" } };
const done = { call_id: "call_1", name: "search", result: null, is_error: false };
const most = limits.activityValueBytes;

test.each([
  ["tool.call_requested", call],
  ["tool.call_requested", { ...call, arguments: "x".repeat(most), arguments_bytes: 90_000, agent: "Planner" }],
  ["tool.call_requested", { ...call, arguments_bytes: 90_000, arguments_value_id: `val_${"0".repeat(26)}` }],
  ["tool.call_completed", { ...done, result: ["a\0b"], duration_ms: 3 }],
  ["reasoning.completed", { text: "a\0b" }],
  ["model.request_completed", { ordinal: 1, usage: { input_tokens: 3 }, duration_ms: 0 }],
  ["plan.updated", { items: [{ text: "Write it", status: "pending" }] }],
  ["step.completed", { name: "charge", ordinal: 2, is_replayed: true }],
  ["plan.updated", { items: Array(50).fill({ text: "計".repeat(500), status: "in_progress" }) }],
])("%s can be stored", (type, data) => {
  expect(findActivityProblem(type, data)).toBeUndefined();
});

test.each([
  ["session.created", {}, "its type is unknown"],
  ["__proto__", {}, "its type is unknown"],
  ["tool.call_requested", [call], "its data is not an object"],
  ["tool.call_requested", { ...call, arguments: undefined }, "arguments: field is required"],
  ["tool.call_requested", { ...call, arguments: "x".repeat(3 * most) }, "arguments has more than 16384 bytes"],
  ["tool.call_requested", { ...call, arguments: ["é".repeat(2 * most)] }, "arguments has more than 16384 bytes"],
  ["tool.call_requested", { ...call, kind: "magic" }, /^kind: expected one of/],
  ["tool.call_requested", { ...call, name: "x".repeat(201) }, /^name: /],
  ["tool.call_requested", { ...call, more: 1 }, "more: unsupported field"],
  ["tool.call_requested", { ...call, more: "x".repeat(5 * most) }, "its fields have more than 80000 bytes"],
  ["tool.call_completed", { ...done, result_value_id: "val_../../x" }, /^result_value_id: /],
  ["tool.call_completed", { ...done, duration_ms: -1 }, /^duration_ms: /],
  ["reasoning.completed", { text: 1 }, "text: field is required"],
  ["step.completed", { name: "charge", ordinal: 0, is_replayed: true }, /^ordinal: /],
  ["model.request_completed", { ordinal: 1, duration_ms: 1, usage: { "not a name": 1 } }, /usage/],
])("%s with %j is refused", (type, data, problem) => {
  expect(findActivityProblem(type, data)).toMatch(problem);
});

test("an event with thousands of problems is refused in a few milliseconds", () => {
  const data = { items: Array(10_000).fill({}) };
  findActivityProblem("plan.updated", { items: [{}] });
  const startedAt = process.cpuUsage();
  for (let i = 0; i < 20; i++) expect(findActivityProblem("plan.updated", data)).toMatch(/^items/);
  // Listing all problems takes more than 100 ms each.
  expect(process.cpuUsage(startedAt).user / 1_000 / 20).toBeLessThan(20);
});

test("every type is in the table, and beside every field that may be cut are its size and its whole", () => {
  expect(Object.keys(activityKinds)).toEqual([...activityTypes]);
  for (const kind of Object.values(activityKinds)) {
    if (!("value" in kind)) continue;
    const besides = [`${kind.value}_bytes`, `${kind.value}_value_id`];
    for (const name of besides) expect(kind.data.properties).toHaveProperty([name]);
  }
});
