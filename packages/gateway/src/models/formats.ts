// What each wire format says about an answer: in its document, or in the events of its stream.

import type { ModelFormat, ModelTokens } from "@dari/domain";
import type { ModelCall } from "./known-models.ts";

/** What one document or event says. Later ones replace what earlier ones said. */
export interface Finding {
  readonly model?: string | undefined;
  readonly finishReason?: string | undefined;
  /** Counts by their names in `totals`. */
  readonly counts?: Counts;
  /** Nothing that is read follows. */
  readonly isEnd?: boolean;
}

/** Counts as the provider names them, before they are added up. */
export type Counts = Readonly<Partial<Record<CountName, number | undefined>>>;
type CountName =
  "input" | "otherInput" | "cachedInput" | "cacheWrite" | "output" | "otherOutput" | "reasoning" | "total";

interface FormatReader {
  /** What the JSON of an event contains if it says something. Most events carry a word of the answer. */
  readonly says: RegExp;
  find(value: Json): Finding;
  totals(counts: Counts, call: ModelCall): ModelTokens;
}

type Json = Readonly<Record<string, unknown>>;

export const formats: Readonly<Record<ModelFormat, FormatReader>> = {
  "openai-responses": { says: /"response":\{|"error"/, find: findInResponses, totals: totalsOf },
  "openai-chat": {
    says: /"usage":\{|"finish_reason":"|"error"/,
    find: findInChat,
    totals(counts, { hasHiddenReasoning }) {
      const { input = 0, output = 0, total } = counts;
      if (hasHiddenReasoning !== true || total === undefined) return totalsOf(counts);
      return { ...totalsOf(counts), output: Math.max(output, total - input) };
    },
  },
  "anthropic-messages": {
    says: /"usage":\{|"message_stop"|"error"/,
    find: findInMessages,
    // Its input tokens are those that were neither read from the cache nor written to it.
    totals: (counts) => ({
      ...totalsOf(counts),
      input: counts.input === undefined ? null : sum(counts.input, counts.cachedInput, counts.cacheWrite),
    }),
  },
  gemini: {
    says: /"usageMetadata":\{|"finishReason":"|"promptFeedback":\{|"error"/,
    find: findInGemini,
    totals: totalsOf,
  },
};

/** https://platform.openai.com/docs/api-reference/responses-streaming */
function findInResponses(value: Json): Finding {
  const type = textIn(value, "type");
  if (type === "error") return { finishReason: "error", isEnd: true };
  // Most events carry a part of the answer. Only those about its state carry the response.
  const response = objectIn(value, "response") ?? (type === undefined ? value : undefined);
  if (response === undefined) return {};
  const usage = objectIn(response, "usage");
  const status = textIn(response, "status");
  const isEnd = status !== undefined && status !== "in_progress" && status !== "queued";
  if (status === undefined && objectIn(value, "error") !== undefined) return { finishReason: "error" };
  return {
    model: textIn(response, "model"),
    finishReason: isEnd ? (textIn(objectIn(response, "incomplete_details"), "reason") ?? status) : undefined,
    isEnd,
    counts: {
      input: countIn(usage, "input_tokens"),
      cachedInput: countIn(objectIn(usage, "input_tokens_details"), "cached_tokens"),
      output: countIn(usage, "output_tokens"),
      reasoning: countIn(objectIn(usage, "output_tokens_details"), "reasoning_tokens"),
    },
  };
}

/** https://platform.openai.com/docs/api-reference/chat-streaming. The last chunk has the usage, if it was asked for. */
function findInChat(value: Json): Finding {
  const usage = objectIn(value, "usage");
  const given = objectIn(usage, "prompt_tokens_details");
  return {
    model: textIn(value, "model"),
    finishReason: objectIn(value, "error") === undefined ? firstTextIn(value["choices"], "finish_reason") : "error",
    counts: {
      input: countIn(usage, "prompt_tokens"),
      cachedInput: countIn(given, "cached_tokens"),
      cacheWrite: countIn(given, "cache_write_tokens"),
      output: countIn(usage, "completion_tokens"),
      total: countIn(usage, "total_tokens"),
      reasoning: countIn(objectIn(usage, "completion_tokens_details"), "reasoning_tokens"),
    },
  };
}

/** https://docs.anthropic.com/en/api/messages-streaming. Its counts are those of the answer so far. */
function findInMessages(value: Json): Finding {
  const type = textIn(value, "type");
  if (type === "error") return { finishReason: "error", isEnd: true };
  const message = objectIn(value, "message") ?? value;
  const usage = objectIn(message, "usage");
  return {
    model: textIn(message, "model"),
    finishReason: textIn(message, "stop_reason") ?? textIn(objectIn(value, "delta"), "stop_reason"),
    isEnd: type === "message_stop",
    counts: {
      input: countIn(usage, "input_tokens"),
      cachedInput: countIn(usage, "cache_read_input_tokens"),
      cacheWrite: countIn(usage, "cache_creation_input_tokens"),
      output: countIn(usage, "output_tokens"),
      reasoning: countIn(objectIn(usage, "output_tokens_details"), "thinking_tokens"),
    },
  };
}

/** https://ai.google.dev/api/generate-content#UsageMetadata. Every chunk has the counts so far. */
function findInGemini(value: Json): Finding {
  if (objectIn(value, "error") !== undefined) return { finishReason: "error" };
  const usage = objectIn(value, "usageMetadata");
  const thoughts = countIn(usage, "thoughtsTokenCount");
  return {
    model: textIn(value, "modelVersion"),
    finishReason:
      firstTextIn(value["candidates"], "finishReason") ?? textIn(objectIn(value, "promptFeedback"), "blockReason"),
    counts: {
      input: countIn(usage, "promptTokenCount"),
      otherInput: countIn(usage, "toolUsePromptTokenCount"),
      cachedInput: countIn(usage, "cachedContentTokenCount"),
      output: countIn(usage, "candidatesTokenCount"),
      otherOutput: thoughts,
      reasoning: thoughts,
    },
  };
}

function totalsOf({ input, otherInput, cachedInput, cacheWrite, output, otherOutput, reasoning }: Counts): ModelTokens {
  return {
    input: input === undefined ? null : sum(input, otherInput),
    cachedInput: cachedInput ?? null,
    cacheWrite: cacheWrite ?? null,
    // An answer that only thinks has no candidates.
    output: output === undefined && otherOutput === undefined ? null : sum(output, otherOutput),
    reasoning: reasoning ?? null,
  };
}

function sum(...counts: readonly (number | undefined)[]): number {
  return counts.reduce<number>((total, count) => total + (count ?? 0), 0);
}

function objectIn(value: Json | undefined, name: string): Json | undefined {
  const found = value?.[name];
  return isObject(found) ? found : undefined;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textIn(value: Json | undefined, name: string): string | undefined {
  const found = value?.[name];
  return typeof found === "string" && found !== "" ? found : undefined;
}

/** No answer has so many tokens. The sums of hosts that report anything stay exact, and in range. */
const countMax = 1e9;

function countIn(value: Json | undefined, name: string): number | undefined {
  const found = value?.[name];
  return Number.isInteger(found) && (found as number) >= 0 && (found as number) <= countMax
    ? (found as number)
    : undefined;
}

/** Returns the first text of this name in a list of objects. */
function firstTextIn(list: unknown, name: string): string | undefined {
  if (!Array.isArray(list)) return undefined;
  for (const item of list) {
    const found = isObject(item) ? textIn(item, name) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}
