// Watches the runs of @openai/agents in this process: the run of an exported agent, runs that the agent's own code
// starts, and runs of agents that are tools. A run reports nothing about the runs inside it, so the methods of the
// SDK's Runner, models and tools are replaced by ones that also record. They do what they did before.

import { AsyncLocalStorage } from "node:async_hooks";
import { nameOf } from "../activity.mjs";
import { ignoringErrors } from "../errors.mjs";
import { RunRecorder } from "./openai-activity.mjs";
import { noteTools } from "./openai-mcp.mjs";
import { noticingError } from "./openai-tool-errors.mjs";

/** The run that code belongs to, and its tool call: `{run, callId}`. */
const scope = new AsyncLocalStorage();
const replacements = new WeakSet();
const heard = new WeakSet();
const modelNames = new WeakMap();
/** The turn that runs now: `{activity, requests, onText}`. */
let current;

/**
 * Records the runs of a turn. Returns the function that ends this. `onText(text, ordinal)` gets the text that models
 * write in runs that are not inside another, before the SDK gets it; an error of it fails the request.
 */
export function recordRuns(activity, onText) {
  const turn = current?.activity === activity ? current : { activity, requests: 0 };
  turn.onText = onText;
  current = turn;
  return () => {
    if (current === turn) current = undefined;
  };
}

/** Watches all runs of this copy of the SDK. */
export function watchRuns(sdk) {
  replace(sdk.Runner.prototype, "run", (run) => {
    return function (agent, input, ...more) {
      const outer = scope.getStore();
      const turn = outer?.run.turn ?? current;
      if (turn === undefined) return run.call(this, agent, input, ...more);
      const resumed = input instanceof sdk.RunState ? input : undefined;
      const recorder = new RunRecorder(sdk, turn, outer);
      ignoringErrors(() => {
        watchRunner(this);
        watchAgent(resumed?._currentAgent ?? agent);
        recorder.begin(resumed?._currentAgent ?? agent, resumed);
      });
      const running = scope.run({ run: recorder }, () => run.call(this, agent, input, ...more));
      ignoringErrors(() => recorder.follow(running));
      return running;
    };
  });
}

/** Replaces a method once. An object that cannot be changed keeps its own. */
function replace(object, name, make) {
  const method = object?.[name];
  if (typeof method !== "function" || replacements.has(method) || !Object.isExtensible(object)) return;
  const value = make(method);
  replacements.add(value);
  Object.defineProperty(object, name, { value, configurable: true, writable: true, enumerable: false });
}

/** Several runs can use one Runner at the same time, so its listeners find the run by the scope of their call. */
function watchRunner(runner) {
  watchModel(runner.config?.model);
  replace(runner.config?.modelProvider, "getModel", (getModel) => {
    return function (name, ...more) {
      const made = getModel.call(this, name, ...more);
      return typeof made?.then === "function" ? made.then((model) => watchModel(model, name)) : watchModel(made, name);
    };
  });
  if (heard.has(runner)) return;
  heard.add(runner);
  const on = (type, take) => {
    runner.on(type, (_context, ...given) => void ignoringErrors(() => take(scope.getStore()?.run, ...given)));
  };
  on("agent_start", (run, agent) => {
    watchAgent(agent);
    run?.enter(agent);
  });
  on("agent_tool_start", (run, _agent, tool, details) => {
    watchTool(tool);
    run?.startTool(details);
  });
  on("agent_tool_end", (run, agent, tool, result, details) => run?.endTool(agent, tool, result, details));
  on("agent_handoff", (run, from, to) => run?.handOff(from, to));
}

function watchAgent(agent) {
  watchModel(agent.model);
  for (const server of agent.mcpServers ?? []) noteTools(server);
}

/** Runs that a tool starts belong to its call. */
function watchTool(tool) {
  replace(tool, "invoke", (invoke) => {
    return function (context, input, details, ...more) {
      const run = scope.getStore()?.run;
      const callId = nameOf(details?.toolCall?.callId);
      const invoked = () =>
        noticingError(
          () => invoke.call(this, context, input, details, ...more),
          (error) => run?.failTool(details?.toolCall?.callId, tool.name, error),
        );
      return run === undefined || callId === undefined ? invoked() : scope.run({ run, callId }, invoked);
    };
  });
}

function watchModel(model, name) {
  if (typeof model !== "object" || model === null) return model;
  ignoringErrors(() => {
    if (name !== undefined) modelNames.set(model, name);
    replace(model, "getResponse", (getResponse) => {
      return function (...given) {
        const request = startRequest(model);
        return request === undefined ? getResponse.apply(this, given) : whole(request, given, getResponse.bind(this));
      };
    });
    replace(model, "getStreamedResponse", (getStreamedResponse) => {
      return function (...given) {
        const request = startRequest(model);
        const stream = getStreamedResponse.apply(this, given);
        return request === undefined ? stream : streamed(request, given, stream);
      };
    });
  });
  return model;
}

const startRequest = (model) => ignoringErrors(() => scope.getStore()?.run.newRequest(model, modelNames.get(model)));

async function whole(request, given, getResponse) {
  await request.begin(given[0]);
  try {
    const response = await getResponse(...given);
    await request.complete(response);
    return response;
  } catch (error) {
    request.fail(error);
    throw error;
  }
}

async function* streamed(request, given, stream) {
  await request.begin(given[0]);
  try {
    for await (const event of stream) {
      await request.take(event);
      if (event.type === "output_text_delta") await request.showText(event.delta);
      yield event;
    }
  } catch (error) {
    request.fail(error);
    throw error;
  } finally {
    // A stream that is read to its end has its answer already.
    request.fail(given[0]?.signal?.reason ?? "the answer was not read to its end");
  }
}
