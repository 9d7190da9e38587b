// The package @dari/agent. Its functions are those of the running turn's context, for code that does not get the
// context as an argument. Imports nothing, so that an agent can be imported and tested anywhere.

import type { AgentFunction, Context, InputOptions, JsonSchema, Usage } from "./types.ts";

export type {
  AgentFunction,
  Answer,
  Context,
  FilePart,
  HistoryEntry,
  ImagePart,
  InputOptions,
  Json,
  JsonSchema,
  Output,
  OutputPart,
  Part,
  TextPart,
  Usage,
} from "./types.ts";

/** Where the platform puts the context of the running turn. A process runs one turn at a time. */
const slot = Symbol.for("dari.agent.context");

/** Returns the function unchanged. Gives its parameters and its result their types. */
export function defineAgent<A extends AgentFunction>(agent: A): A {
  return agent;
}

/** Returns the context of the running turn. Throws outside of one. */
export function getContext(): Context {
  const context = (globalThis as { [slot]?: Context })[slot];
  if (context !== undefined) return context;
  throw new Error("no turn is running: call this inside the agent's function, and run it with runLocally in a test");
}

/** Records an event of the session. */
export function emit(type: string, data?: unknown): Promise<void> {
  return getContext().emit(type, data);
}

/** Adds to the turn's usage, which budgets count: `reportUsage({ input_tokens: 10, output_tokens: 5 })`. */
export function reportUsage(usage: Usage): Promise<void> {
  return getContext().reportUsage(usage);
}

/** Resolves with the answer to a question; see `Context.requestInput`. */
export function requestInput<T = unknown>(key: string, schema: JsonSchema, options?: InputOptions): Promise<T> {
  return getContext().requestInput<T>(key, schema, options);
}

/**
 * Returns a key that is the same in every attempt of the message, for a service that must not act twice. `step` tells
 * several calls of one message apart.
 */
export function operationKey(step?: string): string {
  const { operationKey: key } = getContext();
  return step === undefined ? key : `${key}.${step}`;
}

/** Returns the signal that aborts when the message is cancelled or its time limit is reached. */
export function signal(): AbortSignal {
  return getContext().signal;
}

export interface ToolDefinition<Input, Result> {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the input. */
  readonly parameters: JsonSchema;
  run(input: Input): Result | Promise<Result>;
}

/** A function with the description that models' APIs want. */
export interface Tool<Input, Result> {
  (input: Input): Promise<Result>;
  readonly definition: { readonly name: string; readonly description: string; readonly parameters: JsonSchema };
}

/** Makes a tool of a function. Events record each call: `tool.called`, then `tool.returned` or `tool.failed`. */
export function tool<Input, Result>(definition: ToolDefinition<Input, Result>): Tool<Input, Result> {
  const { name, description, parameters } = definition;
  const call = async (input: Input): Promise<Result> => {
    const startedAt = performance.now();
    // The function has run, so an event that is refused must not fail the call: a retry would run it again.
    const record = async (type: string, data: () => Record<string, unknown>): Promise<void> => {
      try {
        await emit(type, { name, ...data(), ms: Math.round(performance.now() - startedAt) });
      } catch {
        // For example, the attempt has too many events.
      }
    };
    await emit("tool.called", { name, input: shown(input) });
    let result: Result;
    try {
      result = await definition.run(input);
    } catch (error) {
      await record("tool.failed", () => ({ error: shown(String(error)) }));
      throw error;
    }
    await record("tool.returned", () => ({ result: shown(result) }));
    return result;
  };
  return Object.assign(call, { definition: { name, description, parameters } });
}

const shownChars = 4_000;

/** Returns the value for an event, which has a limit: large ones are cut. Values without JSON become text. */
function shown(value: unknown): unknown {
  if (value === undefined) return null;
  const json = toJson(value);
  const text = typeof value === "string" ? value : (json ?? String(value));
  if (text.length > shownChars) return `${text.slice(0, shownChars)}… (${text.length} characters)`;
  return json === undefined ? text : value;
}

/** Returns undefined for a value without JSON, such as a BigInt, a cycle or a function. */
function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
