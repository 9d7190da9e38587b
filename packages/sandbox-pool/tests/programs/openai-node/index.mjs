// Replaces @openai/agents: what that SDK keeps, and a Runner that asks its model twice. `made` has the requests.

import { AsyncLocalStorage } from "node:async_hooks";

const provider = Symbol.for("openai.agents.core.traceProvider");
const context = Symbol.for("openai.agents.core.asyncLocalStorage");

export const made = [];
/** How it behaves. `isOld`: as before version 0.15. */
export const behaviour = { isOld: false, isStuck: false, isBroken: false };

class Responses {
  constructor(client) {
    this.client = client;
  }
  async create(body, { signal }) {
    const { baseURL, fetch = globalThis.fetch } = this.client.options;
    const response = await fetch(`${baseURL}/responses`, { method: "POST", body, signal });
    const reply = await response.text();
    made.push({ model: body.model, reply: /"type":"(message|function_call)"/.exec(reply)?.[1] });
    return reply;
  }
}

export class OpenAI {
  constructor(options) {
    this.options = options;
    this.responses = new Responses(this);
  }
}

let defaultClient, defaultProvider;
let api = "responses";
export const setDefaultOpenAIClient = (client) => void (defaultClient = client);
export const getDefaultOpenAIClient = () => (behaviour.isOld ? undefined : defaultClient);
export const setDefaultModelProvider = (given) => void (defaultProvider = given);
export const setOpenAIAPI = (name) => void (api = name);
export const tool = (options) => options;

export class OpenAIResponsesModel {
  constructor(client, name) {
    this._client = client;
    this.name = name;
  }
  async *getStreamedResponse({ signal }) {
    yield { type: "response_started" };
    await this._client.responses.create({ model: this.name }, { signal });
  }
}
export class OpenAIChatCompletionsModel extends OpenAIResponsesModel {}

export class OpenAIProvider {
  #options;
  constructor(options = {}) {
    this.#options = options;
  }
  async getModel(name) {
    const { openAIClient, useResponses = api === "responses", ...options } = this.#options;
    const preferred = openAIClient ?? (behaviour.isOld ? defaultClient : undefined);
    const client = preferred ?? new OpenAI(options);
    return new (useResponses ? OpenAIResponsesModel : OpenAIChatCompletionsModel)(client, name);
  }
}

export class Agent {
  constructor(options) {
    Object.assign(this, options);
  }
  getSystemPrompt() {}
}
export class RunState {}
export class NoopTrace {
  traceId = "no-op";
}

export class TraceProvider {
  #processors = [];
  createTrace() {
    for (const processor of this.#processors) processor.onTraceStart();
    return { traceId: "trace" };
  }
  createSpan() {}
  registerProcessor(processor) {
    this.#processors.push(processor);
  }
}
globalThis[provider] = new TraceProvider();
export const addTraceProcessor = (processor) => globalThis[provider].registerProcessor(processor);

const storage = () => (globalThis[context] ??= new AsyncLocalStorage());
export const withTrace = async (trace, use) => await storage().run(trace, use);

export class Runner {
  constructor(config = {}) {
    this.config = { ...config, modelProvider: config.modelProvider ?? defaultProvider ?? new OpenAIProvider() };
  }
  on() {}
  async run(agent, _input, { signal } = {}) {
    if (behaviour.isBroken) throw new Error("broken");
    if (behaviour.isStuck) await new Promise(() => {});
    // Versions before 0.15 begin a trace also where tracing is disabled.
    if (storage().getStore() === undefined) globalThis[provider].createTrace();
    globalThis[provider].createSpan();
    const model = await this.config.modelProvider.getModel(agent.model);
    for (let i = 0; i < 2; i += 1) for await (const _event of model.getStreamedResponse({ input: [], signal }));
    return { completed: Promise.resolve(), async *[Symbol.asyncIterator]() {} };
  }
}
