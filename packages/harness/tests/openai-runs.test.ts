// What is recorded of runs of @openai/agents, with a Runner that calls its model and tools as that SDK's does.

import { EventEmitter } from "node:events";
import { beforeEach, expect, test } from "@jest/globals";
import { fileURLToPath } from "node:url";

type Recorded = [type: string, data: Record<string, unknown>];
interface Module {
  watchRuns(sdk: object): void;
  recordRuns(activity: object, onText?: (text: string, ordinal: number) => void): () => void;
}
interface Call {
  readonly callId: string;
  readonly type: string;
  readonly name: string;
  readonly arguments: string;
}
interface Tool {
  readonly name: string;
  invoke(context: object, input: string, details: object): Promise<string>;
}
interface Agent {
  readonly name: string;
  readonly model?: object;
  readonly tools?: readonly Tool[];
}
interface Response {
  readonly output: readonly object[];
  readonly providerData?: object;
}
interface StreamEvent {
  readonly type: string;
  readonly response?: Response;
  readonly delta?: string;
  readonly event?: object;
}
interface Model {
  getResponse(request: object): Promise<Response>;
  getStreamedResponse(request: object): AsyncIterable<StreamEvent>;
}

class Runner extends EventEmitter {
  readonly config: { modelProvider: { getModel(name: string): Promise<Model> } };
  constructor(answers: readonly (Response | Error)[]) {
    super();
    const left = [...answers];
    const next = async (): Promise<Response> => {
      const answer = left.shift()!;
      if (answer instanceof Error) throw answer;
      return answer;
    };
    const model: Model = {
      getResponse: next,
      async *getStreamedResponse() {
        yield { type: "response_done", response: await next() };
        yield { type: "later" };
      },
    };
    this.config = { modelProvider: { getModel: async () => model } };
  }

  async run(agent: Agent, input: object[], options: { stream?: boolean } = {}): Promise<object> {
    this.emit("agent_start", {}, agent, []);
    for (const items = [...input]; ;) {
      const model = (agent.model as Model | undefined) ?? (await this.config.modelProvider.getModel("gpt-4.1"));
      const { output } = await ask(model, { input: items }, options.stream === true);
      const calls = output.filter((item): item is Call => (item as Call).type === "function_call");
      if (calls.length === 0) return {};
      items.push(...output, ...(await Promise.all(calls.map(async (call) => this.#call(agent, call)))));
    }
  }

  async #call(agent: Agent, toolCall: Call): Promise<object> {
    const { callId } = toolCall;
    const tool = agent.tools?.find(({ name }) => name === toolCall.name);
    if (tool === undefined) return { type: "function_call_result", callId, output: { type: "text", text: "refused" } };
    this.emit("agent_tool_start", {}, agent, tool, { toolCall });
    const output = await tool.invoke({}, toolCall.arguments, { toolCall });
    this.emit("agent_tool_end", {}, agent, tool, output, { toolCall });
    return { type: "function_call_result", callId, output };
  }
}

async function ask(model: Model, request: object, isStream: boolean): Promise<Response> {
  if (!isStream) return model.getResponse(request);
  let response: Response | undefined;
  for await (const event of model.getStreamedResponse(request)) response = event.response ?? response;
  return response!;
}

class RunState {}

const callOf = (name: string): Call => ({ type: "function_call", callId: `call ${name}`, name, arguments: "{}" });
const answer = { output: [{ type: "message", content: [{ text: "done" }] }] };
const failed = "An error occurred while running the tool. Please try again.";

const file = fileURLToPath(new URL("../guest/node/sdk/openai-runs.mjs", import.meta.url));
let recorded: Recorded[];
let shown: object[];
let end: () => void;

beforeEach(async () => {
  const { watchRuns, recordRuns } = (await import(file)) as Module;
  watchRuns({ Runner, RunState });
  recorded = [];
  const record = async (type: string, data: object): Promise<void> => {
    recorded.push([type, JSON.parse(JSON.stringify(data)) as Recorded[1]]);
  };
  shown = [];
  const preview = async (type: string, data: object): Promise<void> => void shown.push({ type, ...data });
  const fit = (field: string, value: unknown): object => ({ [field]: value });
  end = recordRuns({ record, preview, fit }, (text, ordinal) => void shown.push({ text, ordinal }));
});

test.each([{ stream: true }, { stream: false }])("runs that a tool starts belong to its call: %o", async (options) => {
  const counter: Agent = { name: "Counter" };
  const count: Tool = {
    name: "count",
    invoke: async () => {
      await new Runner([{ output: [callOf("add")] }, answer]).run(counter, []);
      return "2";
    },
  };
  const divide: Tool = { name: "divide", invoke: async () => failed };
  const planner = { name: "Planner", tools: [count, divide] };
  const said = { type: "message", content: [{ text: "First." }] };
  const output = [said, callOf("count"), callOf("divide")];
  await new Runner([{ output, providerData: { status: "completed" } }, answer]).run(planner, [], options);
  end();
  const of = { agent: "Counter", parent_call_id: "call count" };
  expect(recorded.filter(([type]) => type !== "tool.call_completed" && type !== "model.request_started")).toMatchObject(
    [
      ["model.request_completed", { ordinal: 1, model: "gpt-4.1", agent: "Planner", finish_reason: "completed" }],
      ["assistant.message", { text: "First.", agent: "Planner" }],
      ["tool.call_requested", { call_id: "call count", kind: "function", arguments: {} }],
      ["tool.call_requested", { call_id: "call divide" }],
      ["subagent.started", { name: "Counter", parent_call_id: "call count" }],
      ["model.request_completed", { ordinal: 2, ...of }],
      ["tool.call_requested", { call_id: "call add", ...of }],
      ["model.request_completed", { ordinal: 3, ...of }],
      ["subagent.completed", { name: "Counter", parent_call_id: "call count", is_error: false }],
      ["model.request_completed", { ordinal: 4, agent: "Planner" }],
    ],
  );
  const results = recorded.filter(([type]) => type === "tool.call_completed");
  expect(new Map(results.map(([, data]) => [data["call_id"], data]))).toMatchObject(
    new Map([
      ["call divide", { call_id: "call divide", name: "divide", result: failed, is_error: true, agent: "Planner" }],
      ["call add", { call_id: "call add", name: "add", result: "refused", is_error: false, ...of }],
      ["call count", { call_id: "call count", name: "count", result: "2", is_error: false, agent: "Planner" }],
    ]),
  );
  expect(results).toHaveLength(3);
});

/** A model that streams these events, and answers. */
const streaming = (events: readonly StreamEvent[]): Model => ({
  getResponse: async () => answer,
  async *getStreamedResponse() {
    yield* events;
    yield { type: "response_done", response: answer };
  },
});
const raw = (event: object): StreamEvent => ({ type: "model", event });
const calledTool = { type: "function_call", call_id: "call 1", name: "add" };

test.each([
  {
    api: "the Responses API",
    events: [
      raw({ type: "response.reasoning_summary_text.delta", summary_index: 0, delta: "I think" }),
      raw({ type: "response.output_item.added", output_index: 1, item: calledTool }),
      raw({ type: "response.function_call_arguments.delta", output_index: 1, delta: '{"a":' }),
      raw({ type: "response.output_item.added", output_index: 2, item: { ...calledTool, name: "transfer" } }),
      raw({ type: "response.function_call_arguments.delta", output_index: 2, delta: "{}" }),
      raw({ type: "response.function_call_arguments.delta", output_index: 9, delta: "{}" }),
    ],
  },
  {
    api: "Chat Completions",
    events: [
      { reasoning_content: "I think" },
      { tool_calls: [{ index: 0, id: "call 1", function: { name: "add", arguments: "" } }] },
      { tool_calls: [{ index: 0, function: { arguments: '{"a":' } }] },
      { tool_calls: [{ index: 1, id: "call 2", function: { name: "transfer", arguments: "{}" } }] },
    ].map((delta) => raw({ choices: [{ delta }] })),
  },
])("what a model writes is shown before the SDK gets it: $api", async ({ events }) => {
  const text = { type: "output_text_delta", delta: "Let me" };
  const agent = { name: "Planner", model: streaming([...events, text]), handoffs: [{ toolName: "transfer" }] };
  await new Runner([]).run(agent, [], { stream: true });
  end();
  expect(shown).toEqual([
    { type: "reasoning.delta", ordinal: 1, text: "I think" },
    { type: "tool.arguments_delta", call_id: "call 1", name: "add", text: '{"a":' },
    { text: "Let me", ordinal: 1 },
  ]);
});

test("text of a run inside a tool is not shown", async () => {
  const text = { type: "output_text_delta", delta: "secret" };
  const inner = { name: "Inner", model: streaming([text]) };
  const run: Tool = {
    name: "run",
    invoke: async () => {
      await new Runner([]).run(inner, [], { stream: true });
      return "ran";
    },
  };
  await new Runner([{ output: [callOf("run")] }, answer]).run({ name: "Planner", tools: [run] }, []);
  end();
  expect(shown).toEqual([]);
});

test.each([{ stream: true }, { stream: false }])("a request that fails has the error: %o", async (options) => {
  const away = new Error("the model is away");
  await expect(new Runner([away]).run({ name: "Planner" }, [], options)).rejects.toBe(away);
  end();
  expect(recorded).toMatchObject([
    ["model.request_started", { ordinal: 1 }],
    ["model.request_completed", { ordinal: 1, error: "Error: the model is away" }],
  ]);
});

test("runs of one Runner at the same time are kept apart, and runs after the turn are not recorded", async () => {
  const runner = new Runner([answer, answer, answer]);
  await Promise.all([runner.run({ name: "One" }, []), runner.run({ name: "Two" }, [])]);
  end();
  await runner.run({ name: "Three" }, []);
  const agents = recorded.map(([type, { agent }]) => `${type.replace("model.request_", "")} ${agent as string}`);
  expect(agents.toSorted()).toEqual(["completed One", "completed Two", "started One", "started Two"]);
});

test("a model that cannot be changed still answers", async () => {
  const model = Object.freeze<Model>({ getResponse: async () => answer, async *getStreamedResponse() {} });
  await expect(new Runner([]).run({ name: "Planner", model }, [])).resolves.toEqual({});
  end();
  expect(recorded).toEqual([]);
});
