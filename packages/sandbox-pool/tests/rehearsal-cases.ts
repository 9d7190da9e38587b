// Agents that change their SDK or its surroundings while they are loaded. None of what they change may be called before
// a turn.

export interface RehearsalCase {
  readonly title: string;
  readonly code: string;
  /** Why there is no rehearsal. Absent: there is one. */
  readonly why?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Every Node agent begins with it. What the code puts into `seen` was called. */
export const nodeStart = `
import { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter } from "node:events";
import * as sdk from "@openai/agents";
const { behaviour, made, OpenAI, OpenAIProvider, OpenAIResponsesModel, Runner, TraceProvider } = sdk;
const tracing = Symbol.for("openai.agents.core.traceProvider");
const context = Symbol.for("openai.agents.core.asyncLocalStorage");
const seen = [];
const note = (name, value) => (...given) => (seen.push(name), value?.(...given));
/** Notes all that is done with the object. */
const watched = (name, object = {}) =>
  new Proxy(object, Object.fromEntries(Reflect.ownKeys(Reflect).flatMap((trap) =>
    typeof Reflect[trap] === "function" ? [[trap, (...given) => (seen.push(name), Reflect[trap](...given))]] : [])));
const look = () => ({
  symbols: Object.getOwnPropertySymbols(globalThis).map(String).filter((name) => !name.includes("dari")).sort(),
  listeners: ["SIGINT", "SIGTERM", "unhandledRejection", "warning"].map((name) => process.listenerCount(name)),
  requests: performance.getEntriesByType("resource").length,
  env: Object.keys(process.env).sort(),
});
const before = look();
let ticks = 0;
export const agent = async () => JSON.stringify({ seen, made, before, after: look(), context: context in globalThis });
`;

export const nodeCases: readonly RehearsalCase[] = [
  { title: "nothing", code: "" },
  {
    title: "a model provider",
    code: `sdk.setDefaultModelProvider(watched("provider"));`,
  },
  {
    title: "a processor of traces",
    code: `sdk.addTraceProcessor({ onTraceStart: note("processor") });`,
  },
  { title: "a timer", code: `globalThis["setInterval"](() => (ticks += 1), 1); performance.mark("mine");` },
  { title: "fetch", code: `globalThis.fetch = note("fetch", fetch);`, why: "changed" },
  {
    title: "fetch, by a getter",
    code: `Object.defineProperty(globalThis, "fetch", { get: note("fetch") });`,
    why: "changed",
  },
  {
    title: "undici's dispatcher",
    code: `globalThis[Symbol.for("undici.globalDispatcher.1")] = watched("dispatcher");`,
    why: "changed",
  },
  { title: "Response", code: `globalThis.Response = watched("Response", Response);`, why: "changed" },
  {
    title: "a method of streams",
    code: `const { prototype } = ReadableStream;
      const { getReader } = prototype;
      prototype.getReader = function (...given) { seen.push("reader"); return getReader.apply(this, given); };`,
    why: "changed",
  },
  {
    title: "the run method of AsyncLocalStorage",
    code: `AsyncLocalStorage.prototype.run = note("run", AsyncLocalStorage.prototype.run);`,
    why: "changed",
  },
  { title: "events", code: `EventEmitter.prototype.prependListener = note("listener");`, why: "changed" },
  {
    title: "the Runner's method",
    code: `const { run } = Runner.prototype;
      Runner.prototype.run = function (...given) { seen.push("run"); return run.apply(this, given); };`,
    why: "changed",
  },
  {
    title: "a model's method",
    code: `const { prototype } = OpenAIResponsesModel;
      const { getStreamedResponse: ask } = prototype;
      prototype.getStreamedResponse = function (...given) { seen.push("ask"); return ask.apply(this, given); };`,
    why: "changed",
  },
  {
    title: "a getter of the provider of models",
    code: `Object.defineProperty(OpenAIProvider.prototype, "getModel", { get: note("getModel") });`,
    why: "changed",
  },
  {
    title: "a method of the client's resources",
    code: `const resources = Object.getPrototypeOf(new OpenAI({}).responses);
      const { create } = resources;
      resources.create = function (...given) { seen.push("create"); return create.apply(this, given); };`,
    why: "changed",
  },
  {
    title: "the SDK's client",
    code: `sdk.setDefaultOpenAIClient(watched("client", new OpenAI({ baseURL: "http://127.0.0.1:9" })));`,
    why: "client",
  },
  {
    title: "the client of an older SDK, which prefers it",
    code: `behaviour.isOld = true;
      sdk.setDefaultOpenAIClient(watched("client", new OpenAI({ baseURL: "http://127.0.0.1:9" })));`,
    why: "client",
  },
  { title: "the API", code: `sdk.setOpenAIAPI("chat_completions");`, why: "api" },
  {
    title: "the provider of traces",
    code: `globalThis[tracing] = { createTrace: note("trace"), createSpan: note("span") };`,
    why: "tracing",
  },
  {
    title: "the provider of traces, watched",
    code: `globalThis[tracing] = watched("tracing", globalThis[tracing]);`,
    why: "tracing",
  },
  {
    title: "the provider of traces, by a getter",
    code: `Object.defineProperty(globalThis, tracing, { get: note("tracing") });`,
    why: "tracing",
  },
  {
    title: "a method of the provider of traces",
    code: `globalThis[tracing].createSpan = note("span");`,
    why: "tracing",
  },
  {
    title: "a class of the provider of traces",
    code: `globalThis[tracing] = new (class extends TraceProvider { createSpan() { seen.push("span"); } })();`,
    why: "tracing",
  },
  {
    title: "the storage of traces",
    code: `Object.defineProperty(globalThis, context, { value: watched("storage"), configurable: true });`,
    why: "tracing",
  },
  {
    title: "OpenTelemetry",
    code: `globalThis[Symbol.for("opentelemetry.js.api.1")] = watched("telemetry");`,
    why: "tracing",
  },
  { title: "the SDK's log", code: "", env: { DEBUG: "openai-agents*" }, why: "logging" },
  { title: "a run that never ends", code: "behaviour.isStuck = true;", why: "late" },
  { title: "a run that fails", code: "behaviour.isBroken = true;", why: "failed" },
];

/** Every Python agent begins with it. */
export const pythonStart = `
import asyncio, functools, gc, logging, os, sys
import agents, openai, httpx
from agents import behaviour, made
from agents.run import AgentRunner
from agents.tracing import setup
seen = []
def noted(name, function=lambda *given, **named: None):
    @functools.wraps(function)
    def note(*given, **named):
        seen.append(name)
        return function(*given, **named)
    return note
class Watched:
    def __getattribute__(self, name):
        seen.append(name)
        return lambda *given, **named: None
class Handler(logging.Handler):
    def emit(self, record):
        seen.append(record.getMessage())
logging.basicConfig(level=logging.DEBUG, handlers=[Handler()])
def look():
    gc.unfreeze()
    kinds = (asyncio.Task, asyncio.AbstractEventLoop)
    left = [repr(one) for one in gc.get_objects() if issubclass(type(one), kinds)]
    return {"left": left, "env": sorted(os.environ), "provider": type(setup.GLOBAL_TRACE_PROVIDER).__name__}
before = look()
def agent(prompt):
    return {"seen": seen, "made": made, "before": before, "after": look()}
`;

export const pythonCases: readonly RehearsalCase[] = [
  { title: "nothing", code: "" },
  { title: "a thread of the SDK", code: "behaviour.works_in_thread = True" },
  { title: "a task that the SDK leaves", code: "behaviour.leaves_task = True" },
  { title: "the SDK's client", code: "agents.set_default_openai_client(Watched())", why: "client" },
  { title: "the SDK's key", code: `agents.set_default_openai_key("key")`, why: "client" },
  { title: "the API", code: "agents.set_use_responses_by_default(False)", why: "api" },
  {
    title: "the runner",
    code: `class Own(AgentRunner):
    def run_streamed(self, *given, **named):
        seen.append("run")
agents.set_default_agent_runner(Own())`,
    why: "runner",
  },
  {
    title: "a method of the runner",
    code: `agents.run.get_default_agent_runner().run_streamed = noted("run")`,
    why: "runner",
  },
  {
    title: "a method of the runner's class",
    code: `AgentRunner.run_streamed = noted("run", AgentRunner.run_streamed)`,
    why: "changed",
  },
  { title: "the runner's class", code: "agents.run.AgentRunner = Watched", why: "changed" },
  { title: "the provider of traces", code: "agents.set_trace_provider(Watched())", why: "tracing" },
  { title: "a processor of traces", code: "agents.add_trace_processor(Watched())", why: "tracing" },
  { title: "the client's class", code: `openai.AsyncOpenAI = noted("client", openai.AsyncOpenAI)`, why: "changed" },
  {
    title: "a method of the client",
    code: `openai.Responses.create = noted("create", openai.Responses.create)`,
    why: "changed",
  },
  { title: "the client's transport", code: `httpx.AsyncClient.post = noted("post")`, why: "changed" },
  { title: "asyncio", code: `asyncio.create_task = noted("task", asyncio.create_task)`, why: "changed" },
  {
    title: "the event loop's class",
    code: `asyncio.BaseEventLoop.run_forever = noted("loop", asyncio.BaseEventLoop.run_forever)`,
    why: "changed",
  },
  { title: "a tracer", code: `sys.settrace(lambda *given: seen.append("trace"))`, why: "changed" },
  {
    title: "a finder of modules",
    code: `class Finder:
    def find_spec(self, name, path=None, target=None):
        seen.append(name)
sys.meta_path.insert(0, Finder())`,
    why: "changed",
  },
  { title: "a run that never ends", code: "behaviour.is_stuck = True", why: "late" },
  { title: "a run that fails", code: "behaviour.is_broken = True", why: "failed" },
];
