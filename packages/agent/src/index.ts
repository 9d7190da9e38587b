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
  Inbox,
  InboxMessage,
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

/** Runs a step, or resolves with its recorded result; see `Context.step`. */
export function step<Result>(name: string, run: (operationKey: string) => Result | Promise<Result>): Promise<Result> {
  return getContext().step(name, run);
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

/** Makes a tool of a function. Events record each call, as with `Context.tool`. */
export function tool<Input, Result>(definition: ToolDefinition<Input, Result>): Tool<Input, Result> {
  const { name, description, parameters } = definition;
  const call = (input: Input): Promise<Result> =>
    getContext().tool(name, input, (given: Input) => definition.run(given));
  return Object.assign(call, { definition: { name, description, parameters } });
}
