// What is recorded of a session of Anthropic's SDK, from messages as its program writes them.

import { expect, test } from "@jest/globals";
import { fileURLToPath } from "node:url";

type Recorded = [type: string, data: Record<string, unknown>];
interface Module {
  recordSession(
    activity: object,
    tasks?: unknown,
  ): { take(message: object): void; fail(error: Error): void; tasks(): unknown; ordinal(): number | undefined };
}

const file = fileURLToPath(new URL("../guest/node/sdk/claude-activity.mjs", import.meta.url));

/** Returns what is recorded of these messages. */
async function recordedOf(messages: readonly object[], error?: Error): Promise<Recorded[]> {
  const { recordSession } = (await import(file)) as Module;
  const recorded: Recorded[] = [];
  const record = (type: string, data: object): void => {
    recorded.push([type, JSON.parse(JSON.stringify(data)) as Recorded[1]]);
  };
  const session = recordSession({ record, fit: (field: string, value: unknown) => ({ [field]: value }) });
  for (const message of messages) session.take(message);
  if (error !== undefined) session.fail(error);
  return recorded;
}

const answer = (id: string, content: object[], parent: string | null = null) => ({
  type: "assistant",
  message: { id, model: "claude", usage: { input_tokens: 1, output_tokens: 2 }, stop_reason: "tool_use", content },
  parent_tool_use_id: parent,
});
const result = (id: string, content: unknown, is_error: boolean, parent: string | null = null) => ({
  type: "user",
  message: { content: [{ type: "tool_result", tool_use_id: id, content, is_error }] },
  parent_tool_use_id: parent,
});
const todos = { todos: [{ content: "Write it", status: "pending", activeForm: "Writing it" }] };
const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } };

test("a subagent's requests and calls name the call that runs it", async () => {
  const recorded = await recordedOf([
    answer("msg_1", [{ type: "tool_use", id: "run", name: "Task", input: { subagent_type: "writer" } }]),
    answer("msg_2", [{ type: "text", text: "First." }], "run"),
    answer("msg_2", [{ type: "tool_use", id: "read", name: "mcp__atlas__map", input: {} }], "run"),
    result("read", [{ type: "text", text: "a map" }], false, "run"),
    result("run", [{ type: "text", text: "done" }, image], false),
  ]);
  const of = { agent: "writer", parent_call_id: "run" };
  expect(recorded).toMatchObject([
    ["model.request_started", { ordinal: 1, model: "claude" }],
    [
      "model.request_completed",
      { ordinal: 1, usage: { input_tokens: 1, output_tokens: 2 }, finish_reason: "tool_use" },
    ],
    ["tool.call_requested", { call_id: "run", name: "Task", kind: "function" }],
    ["subagent.started", { name: "writer", parent_call_id: "run" }],
    ["model.request_started", { ordinal: 2, ...of }],
    ["model.request_completed", { ordinal: 2, ...of }],
    ["assistant.message", { text: "First.", ...of }],
    ["tool.call_requested", { call_id: "read", name: "map", kind: "mcp", server: "atlas", ...of }],
    ["tool.call_completed", { call_id: "read", result: "a map", is_error: false, ...of }],
    ["tool.call_completed", { call_id: "run", result: [{ text: "done" }, image] }],
    ["subagent.completed", { name: "writer", parent_call_id: "run", is_error: false }],
  ]);
});

test("todos are a plan once they are accepted", async () => {
  const writes = (id: string) => answer(`msg_${id}`, [{ type: "tool_use", id, name: "TodoWrite", input: todos }]);
  const recorded = await recordedOf([
    writes("a"),
    result("a", "no such tool", true),
    writes("b"),
    result("b", "ok", false),
  ]);
  const plans = recorded.filter(([type]) => type === "plan.updated");
  expect(plans).toEqual([["plan.updated", { items: [{ text: "Write it", status: "pending" }] }]]);
  expect(recorded.at(-1)).toEqual(plans[0]);
});

test("tasks are a plan, also those of an earlier turn", async () => {
  const { recordSession } = (await import(file)) as Module;
  const call = (name: string, input: object, output: object): object[] => {
    const said = result(name, "done", false);
    return [answer(name, [{ type: "tool_use", id: name, name, input }]), { ...said, tool_use_result: output }];
  };
  const plans: unknown[] = [];
  const record = (type: string, data: { items?: unknown }): void => {
    if (type === "plan.updated") plans.push(data.items);
  };
  const activity = { record, fit: () => ({}) };
  const first = recordSession(activity);
  for (const [id, subject] of ["Read it", "Write it"].entries()) {
    const created = { task: { id: String(id), subject } };
    for (const message of call("TaskCreate", { subject }, created)) first.take(message);
  }
  const second = recordSession(activity, first.tasks());
  const failure = { success: false, taskId: "9", updatedFields: [] };
  for (const message of [
    ...call("TaskUpdate", { taskId: "1", status: "in_progress", subject: "Write all" }, { success: true }),
    ...call("TaskUpdate", { taskId: "0", status: "deleted" }, { success: true }),
    ...call("TaskUpdate", { taskId: "9", status: "completed" }, failure),
    ...call("TaskList", {}, { tasks: [{ id: "1", subject: "Write all", status: "completed", blockedBy: [] }] }),
  ]) {
    second.take(message);
  }
  const read = { text: "Read it", status: "pending" };
  expect(plans).toEqual([
    [read],
    [read, { text: "Write it", status: "pending" }],
    [read, { text: "Write all", status: "in_progress" }],
    [{ text: "Write all", status: "in_progress" }],
    [{ text: "Write all", status: "completed" }],
  ]);
});

test("thinking and the arguments of calls are shown, with the request and the call", async () => {
  const { recordSession } = (await import(file)) as Module;
  const shown: object[] = [];
  const preview = (type: string, data: object): void => void shown.push({ type, ...data });
  const session = recordSession({ record: () => {}, preview, fit: () => ({}) });
  const called = { type: "tool_use", id: "read", name: "Read", input: {} };
  for (const event of [
    { type: "message_start", message: { id: "msg_1", usage: {} } },
    { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "I think" } },
    { type: "content_block_start", index: 1, content_block: called },
    { type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: "" } },
    { type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: '{"a":1}' } },
  ]) {
    session.take({ type: "stream_event", event });
  }
  expect(session.ordinal()).toBe(1);
  session.take({ type: "stream_event", event: { type: "message_stop" } });
  expect(session.ordinal()).toBeUndefined();
  expect(shown).toEqual([
    { type: "reasoning.delta", ordinal: 1, text: "I think" },
    { type: "tool.arguments_delta", call_id: "read", name: "Read", text: '{"a":1}' },
  ]);
});

test("a subagent in the background ends when its task does; a request without an answer fails", async () => {
  const launched = { ...result("run", "started", false), tool_use_result: { status: "async_launched" } };
  const recorded = await recordedOf(
    [
      answer("msg_1", [{ type: "tool_use", id: "run", name: "Agent", input: {} }]),
      launched,
      { type: "system", subtype: "task_notification", tool_use_id: "run", status: "failed" },
      { type: "stream_event", event: { type: "message_start", message: { id: "msg_2", usage: {} } } },
      { type: "unheard of" },
    ],
    new Error("the model is away"),
  );
  expect(recorded.slice(4)).toMatchObject([
    ["tool.call_completed", { call_id: "run" }],
    ["subagent.completed", { name: "general-purpose", is_error: true }],
    ["model.request_started", { ordinal: 2 }],
    ["model.request_completed", { ordinal: 2, error: "Error: the model is away" }],
  ]);
});
