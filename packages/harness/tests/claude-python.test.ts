// What is recorded of a session of claude-agent-sdk in Python, from messages as that SDK passes them on.

import { expect, test } from "@jest/globals";
import { findRuntimes, play } from "./guest-fixture.ts";

const python = findRuntimes().find(({ language }) => language === "python")!;

/** Returns what was recorded and shown, each with its type. */
async function recordedOf(name: string): Promise<[string, object][]> {
  const { ending, frames, logs } = await play({ ...python, file: "claude_agents.py" }, name);
  if (ending.kind !== "completed") throw new Error(JSON.stringify([ending, logs]));
  return frames.flatMap((frame): [string, object][] =>
    frame.t === "activity" || frame.t === "preview" ? [[frame.type, frame.data as object]] : [],
  );
}

test("tasks are a plan, also those of an earlier turn", async () => {
  const recorded = await recordedOf("changesTasks");
  const read = { text: "Read it", status: "pending" };
  const plans = [
    [read],
    [read, { text: "Write it", status: "pending" }],
    [read, { text: "Write all", status: "in_progress" }],
    [{ text: "Write all", status: "in_progress" }],
    [{ text: "Write all", status: "completed" }],
    [{ text: "Rest", status: "pending" }],
  ];
  expect(recorded.filter(([type]) => type === "plan.updated").map(([, data]) => data)).toEqual(
    plans.map((items) => ({ items })),
  );
});

test("what the model writes is shown, and a failure ends what is in progress", async () => {
  const error = "RuntimeError: the model is away";
  const call = { call_id: "read", name: "map" };
  expect(await recordedOf("writesAndFails")).toMatchObject([
    ["model.request_started", { ordinal: 1, model: "claude" }],
    ["reasoning.delta", { ordinal: 1, text: "I think" }],
    ["tool.arguments_delta", { ...call, text: '{"a":' }],
    ["tool.arguments_delta", { ...call, text: "1}" }],
    ["tool.call_requested", { name: "map", kind: "mcp", server: "atlas" }],
    ["model.request_completed", { ordinal: 1, error }],
    ["tool.call_completed", { name: "map", result: error, is_error: true }],
  ]);
});

test("messages are written after a batch of tools and after an answer", async () => {
  const { ending } = await play({ ...python, file: "claude_agents.py" }, "steersClaude");
  const before = [["hi", "before"]];
  const after = [...before, ["between"]];
  const read = [...after, ["later"]];
  const text = JSON.stringify({ before, after, read, kept: [["stop"], "own", true] });
  expect(ending).toEqual({ kind: "completed", parts: [{ type: "text", text }] });
});
