// What is recorded of runs of openai-agents in Python, with a package that replaces the SDK.

import { expect, test } from "@jest/globals";
import { fileURLToPath } from "node:url";
import { findRuntimes, play } from "./guest-fixture.ts";

const python = findRuntimes().find(({ language }) => language === "python")!;
const runtime = { ...python, imageDir: fileURLToPath(new URL("agents/openai-python", import.meta.url)) };

/** Returns the answer as JSON, and what was recorded and shown, each with its type. */
async function recordedOf(name: string): Promise<{ answer: unknown; recorded: [string, unknown][] }> {
  const { ending, frames, logs } = await play({ ...runtime, file: "agent.py" }, name);
  if (ending.kind !== "completed" || ending.parts[0]?.type !== "text") throw new Error(JSON.stringify([ending, logs]));
  const recorded = frames.flatMap((frame): [string, unknown][] =>
    frame.t === "activity" || frame.t === "preview" ? [[frame.type, frame.data]] : [],
  );
  return { answer: ending.parts[0].text, recorded };
}

const withoutStarts = (recorded: readonly [string, unknown][]) =>
  recorded.filter(([type]) => type !== "model.request_started");

test("runs that a function starts are recorded, with those that run in a tool", async () => {
  const { answer, recorded } = await recordedOf("nested");
  expect(answer).toBe("done");
  const ended = (ordinal: number, of: object) => ["model.request_completed", { provider: "openai", ordinal, ...of }];
  const planner = { agent: "Planner", model: "gpt-4.1" };
  const counter = { agent: "Counter", parent_call_id: "call count" };
  const lister = { agent: "Lister", parent_call_id: "call list", provider: "other", model: "model" };
  const shown = withoutStarts(recorded).filter(([type]) => type !== "tool.call_completed");
  expect(shown).toMatchObject([
    ended(1, planner),
    ["assistant.message", { text: "First.", agent: "Planner" }],
    ["tool.call_requested", { call_id: "call count", agent: "Planner" }],
    ["tool.call_requested", { call_id: "call divide" }],
    ["tool.call_requested", { call_id: "call refused" }],
    ["subagent.started", { name: "Counter", parent_call_id: "call count" }],
    ended(2, counter),
    ["tool.call_requested", { call_id: "call add", ...counter }],
    ended(3, counter),
    ["subagent.completed", { name: "Counter", parent_call_id: "call count", is_error: false }],
    ended(4, planner),
    ["tool.call_requested", { call_id: "call list" }],
    ["subagent.started", { name: "Lister", parent_call_id: "call list" }],
    ended(5, lister),
    ["subagent.completed", { name: "Lister", is_error: false }],
    ended(6, planner),
  ]);
  const results = recorded.flatMap(([type, data]) => (type === "tool.call_completed" ? [data as object] : []));
  expect(new Map(results.map((one) => [(one as { name: string }).name, one]))).toMatchObject(
    new Map<string, object>([
      ["divide", { is_error: true, agent: "Planner" }],
      ["add", { result: "3", is_error: false, ...counter }],
      ["count", { result: "three", is_error: false, agent: "Planner" }],
      ["refused", { result: "refused", is_error: false }],
      ["list", { result: "one" }],
    ]),
  );
  expect(results).toHaveLength(5);
});

test("a run that fails ends its request, and its calls that run", async () => {
  const { answer, recorded } = await recordedOf("fails");
  expect(JSON.parse(String(answer))).toEqual(["Planner", "boom"]);
  const error = "ValueError: boom";
  expect(withoutStarts(recorded).slice(1)).toMatchObject([
    ["tool.call_requested", { call_id: "call boom" }],
    ["tool.call_requested", { call_id: "call hang" }],
    ["tool.call_completed", { call_id: "call boom", result: error, is_error: true }],
    ["tool.call_completed", { call_id: "call hang", result: error, is_error: true }],
    ["model.request_completed", { agent: "Away", error: "RuntimeError: the model is away" }],
  ]);
});

test("what a model writes is shown with its request, before what is recorded of it", async () => {
  const { answer, recorded } = await recordedOf("streams");
  expect(JSON.parse(String(answer))).toEqual([
    ["First.", 1],
    ["done", 2],
  ]);
  const thought = (text: string) => ["reasoning.delta", { ordinal: 1, text }];
  const given = (text: string) => ["tool.arguments_delta", { call_id: "call add", name: "add", text }];
  expect(withoutStarts(recorded).slice(0, 8)).toMatchObject([
    thought("I think"),
    thought("\n\n"),
    thought("so"),
    given('{"a'),
    given('":1}'),
    ["model.request_completed", { ordinal: 1, finish_reason: "completed" }],
    ["reasoning.completed", { text: "I think\n\nso" }],
    ["assistant.message", { text: "First." }],
  ]);
});

test("a request whose answer does not say why it ended has no reason of an earlier one", async () => {
  const { recorded } = await recordedOf("ends");
  expect(withoutStarts(recorded).map(([, data]) => data)).toMatchObject([
    { ordinal: 1, agent: "Chatter", finish_reason: "length" },
    { ordinal: 2, agent: "Own" },
    { ordinal: 3, agent: "Chatter", finish_reason: "length" },
  ]);
  expect(withoutStarts(recorded)[1]?.[1]).not.toHaveProperty("finish_reason");
});

test("messages are taken before a request, and stay in their places", async () => {
  const { answer } = await recordedOf("steers");
  const first = ["hi", "before"];
  const second = [...first, "first", "add", "three", "3", "between"];
  const third = [...second, "last", "four", "after"];
  expect(JSON.parse(String(answer))).toEqual({
    asked: [first, second, third],
    kept: [...third, "done"],
    knows_last: true,
    waits: true,
  });
});
