// The protocol on the channel (descriptor 3): one JSON object per line. The host checks all frames of a guest, which
// runs untrusted code and can send anything.

import { isId, isInputKey, limits, stepLimits, type FailureCode } from "@dari/domain";
import { findShapeProblem, isBoundedJson } from "./find-shape-problem.ts";
import type { GuestLimits } from "./guest-limits.ts";

export const protocolVersion = 1;

export type GuestMessagePart = Readonly<Record<string, unknown>>;

/** The second argument of the agent's function, without `workspace`, `emit` and the cancellation. */
export interface TurnContext {
  readonly sessionId: string;
  readonly messageId: string;
  readonly attempt: number;
  /** The message's parts; files and images with their local path. */
  readonly parts: readonly GuestMessagePart[];
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly history: readonly { readonly role: "user" | "assistant"; readonly parts: readonly GuestMessagePart[] }[];
  /** The same for every attempt of the message. */
  readonly operationKey: string;
  /** W3C trace context of the attempt, for spans that the agent makes. */
  readonly traceparent: string;
  /** Answers to the message's inputs, by key. */
  readonly answers: Readonly<Record<string, unknown>>;
  /** What suspended attempts of this turn have taken. Functions get it first. Absent: nothing. */
  readonly earlierMessages?: readonly SteeringMessage[];
  /** What earlier attempts of the message have recorded. Absent: nothing. */
  readonly steps?: readonly RecordedStep[];
}

/** The result of a step. */
export interface RecordedStep {
  readonly name: string;
  /** Counts the calls with this name in their order, from 1. */
  readonly ordinal: number;
  /** JSON that only a guest of the same language reads. It is kept as text, because parsing can change numbers. */
  readonly json: string;
}

export interface Entry {
  /** Path inside the image or, for Python, a dotted module name. */
  readonly file: string;
  readonly export: string;
}

export interface RunRequest {
  readonly entry: Entry;
  /** Paths inside the sandbox. */
  readonly imageDir: string;
  readonly workspace: string;
  readonly sdk: string;
  readonly prompt: string;
  readonly context: TurnContext;
  /** Maximum number of turns in a run that the guest starts with an SDK. Absent: the SDK's default. */
  readonly maxTurns?: number;
  /** Another turn of the session may follow in this process, so it releases the workspace before it answers. */
  readonly again?: boolean;
}

export type HostFrame =
  | ({ readonly t: "run"; readonly timeoutMs: number; readonly limits: GuestLimits } & RunRequest)
  /** Sent to a guest that waits for its turn. Without it, the code is loaded at `run`. */
  | { readonly t: "load"; readonly entry: Entry; readonly imageDir: string; readonly sdk: string }
  /** Sent to a template that has loaded its code and is controlled by its starter. */
  | { readonly t: "fork" }
  | {
      readonly t: "check";
      readonly entry: Entry;
      readonly imageDir: string;
      readonly workspace: string;
      readonly sdk: string;
    }
  | { readonly t: "go" }
  /** Messages may wait that steer the turn. The guest takes them when its agent can use them. */
  | { readonly t: "inbox" }
  | { readonly t: "taken"; readonly messages: readonly SteeringMessage[] }
  /** The step's result is stored. */
  | { readonly t: "stepped"; readonly name: string; readonly ordinal: number }
  | { readonly t: "cancel"; readonly reason: "timeout" | "cancelled" };

/** A message that steers the running turn. */
export interface SteeringMessage {
  readonly id: string;
  readonly parts: readonly GuestMessagePart[];
}

export interface DeltaFrame {
  readonly t: "delta";
  readonly text: string;
  /** Number of the model request that writes the text, if the guest knows it. */
  readonly ordinal?: number;
}

/** A piece of what a model writes besides text of the answer. It is shown but not stored. */
export type PreviewFrame = { readonly t: "preview" } & AgentPreview;

export type AgentPreview =
  | { readonly type: "reasoning.delta"; readonly data: { readonly ordinal: number; readonly text: string } }
  | {
      readonly type: "tool.arguments_delta";
      readonly data: { readonly call_id: string; readonly name: string; readonly text: string };
    };

export interface EventFrame {
  readonly t: "event";
  readonly name: string;
  readonly data: unknown;
}

/** What the agent does, as its SDK or its own code reports it. The caller checks type and data. */
export interface ActivityFrame {
  readonly t: "activity";
  readonly type: string;
  readonly data: unknown;
  /** The length of its line, in UTF-16 units. */
  readonly chars: number;
}

/** A value that does not fit into an activity frame, whole. A later frame has its id. */
export interface ValueFrame {
  readonly t: "value";
  readonly id: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** How many activity frames over the limit were not sent so far. */
export interface OmittedFrame {
  readonly t: "omitted";
  readonly count: number;
}

/** The result of a step, to be recorded. The guest waits for the answer. */
export type StepFrame = { readonly t: "step"; /** Of the attempt so far. */ readonly usage?: Usage } & RecordedStep;

/** The total usage that the agent's code has reported so far. */
export interface UsageFrame {
  readonly t: "usage";
  readonly usage?: Usage;
}

/** The agent asks for an input without an answer: the attempt ends, and the turn waits. */
export interface AskFrame extends LastWords {
  readonly t: "ask";
  readonly key: string;
  readonly schema: Readonly<Record<string, unknown>>;
  readonly prompt: string | undefined;
  /** How long to wait for an answer. */
  readonly waitSeconds: number;
}

/** What all frames that end an attempt contain. */
export interface LastWords {
  /** The usage of this attempt. */
  readonly usage?: Usage;
  /** How many of the messages that the attempt took have reached the agent. Absent: none. */
  readonly delivered?: number;
}

/** What a turn used at its model, as reported by the SDK: numbers by name, such as `input_tokens`. */
export type Usage = Readonly<Record<string, number>>;

export type GuestFrame =
  | { readonly t: "ready"; readonly protocol: number; readonly runtime: string }
  /**
   * Fields that a template sends. `hasLeft`: its code has created files in directories that each child has for itself.
   * `isBusy`: what its code has begun has not ended. `threads`: how many threads its runtime has besides the first one.
   */
  | { readonly t: "loaded"; readonly hasLeft: boolean; readonly isBusy: boolean; readonly threads: number }
  | { readonly t: "started" }
  | DeltaFrame
  | PreviewFrame
  | EventFrame
  | ActivityFrame
  | ValueFrame
  | OmittedFrame
  | UsageFrame
  /** Asks for the messages that wait. */
  | { readonly t: "take" }
  | StepFrame
  | AskFrame
  /** `kept`: how many processes the guest keeps for the session's next turn. */
  | ({ readonly t: "result"; readonly parts: unknown; readonly kept?: number } & LastWords)
  | ({
      readonly t: "error";
      readonly code: FailureCode;
      readonly message: string;
      readonly stack: string;
    } & LastWords)
  | { readonly t: "checked"; readonly kind: string };

/**
 * A guest broke the protocol. The message is for the agent's author, because only its code can have written to the
 * channel.
 */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** The failure codes that a guest can report. Only the platform sets the others. */
const guestCodes: ReadonlySet<string> = new Set<FailureCode>([
  "agent_error",
  "credential_refused",
  "out_of_memory",
  "entrypoint_not_found",
  "unsupported_export",
  "invalid_output",
  "output_too_large",
]);

const messageChars = 8_000;
const stackChars = 32_000;
const nameChars = 200;
const idChars = 64;
const mediaTypePattern = /^[a-z0-9][a-z0-9.+-]{0,98}\/[a-z0-9.+-]{1,99}$/;
const usageNamesMax = 32;
const keptMax = 8;
const threadsMax = 128;
const usageName = /^[a-z][a-z0-9_]{0,63}$/;

/** Parses one line. Throws ProtocolError. Text is returned without lone surrogates, which UTF-8 cannot contain. */
export function parseGuestFrame(line: string): GuestFrame {
  const frame = parseObject(line);
  switch (frame["t"]) {
    case "ready":
      return { t: "ready", protocol: Number(frame["protocol"]), runtime: string(frame, "runtime", nameChars) };
    case "loaded":
      return {
        t: "loaded",
        hasLeft: frame["hasLeft"] === true,
        isBusy: frame["isBusy"] === true,
        threads: threadsOf(frame["threads"]),
      };
    case "started":
      return { t: "started" };
    case "take":
      return { t: "take" };
    case "delta":
      return { t: "delta", text: string(frame, "text"), ...ordinalOf(frame["ordinal"]) };
    case "preview":
      return previewFrame(frame);
    case "event":
      return { t: "event", name: string(frame, "name", nameChars), data: frame["data"] ?? null };
    case "activity":
      return {
        t: "activity",
        type: string(frame, "type", nameChars),
        data: frame["data"] ?? null,
        chars: line.length,
      };
    case "value":
      return valueFrame(frame);
    case "omitted":
      return { t: "omitted", count: count(frame["count"]) };
    case "step":
      return stepFrame(frame);
    case "usage":
      return { t: "usage", ...usageOf(frame["usage"]) };
    case "ask":
      return askFrame(frame);
    case "result":
      return { t: "result", parts: frame["parts"], ...lastWordsOf(frame), ...keptOf(frame["kept"]) };
    case "error":
      return {
        t: "error",
        code: failureCode(frame["code"]),
        message: string(frame, "message", messageChars),
        stack: string(frame, "stack", stackChars),
        ...lastWordsOf(frame),
      };
    case "checked":
      return { t: "checked", kind: string(frame, "kind", nameChars) };
    default:
      throw broken();
  }
}

function parseObject(line: string): Record<string, unknown> {
  const problem = findShapeProblem(line);
  if (problem !== undefined) throw new ProtocolError(`what the agent sent ${problem}`);
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw broken();
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw broken();
  return value as Record<string, unknown>;
}

/** Our guests check what the agent asks for. An invalid frame was written by the agent itself. */
function askFrame(frame: Record<string, unknown>): AskFrame {
  const { schema, waitSeconds = limits.inputWaitSecondsDefault } = frame;
  const key = string(frame, "key", limits.inputKeyChars + 1);
  const isMap = typeof schema === "object" && schema !== null && !Array.isArray(schema);
  if (!isInputKey(key) || !isMap) throw broken();
  if (Buffer.byteLength(JSON.stringify(schema)) > 2 * limits.inputSchemaBytes) throw broken();
  const isWait = Number.isSafeInteger(waitSeconds) && (waitSeconds as number) >= 1;
  if (!isWait || (waitSeconds as number) > limits.inputWaitSecondsMax) throw broken();
  const prompt = frame["prompt"] === undefined ? undefined : string(frame, "prompt", limits.inputPromptChars);
  const asked = { key, schema: schema as AskFrame["schema"], prompt, waitSeconds: waitSeconds as number };
  return { t: "ask", ...asked, ...lastWordsOf(frame) };
}

/** Our guests send no other names, and no result over the limit. */
function stepFrame(frame: Record<string, unknown>): StepFrame {
  const [name, json] = [string(frame, "name", limits.inputKeyChars + 1), string(frame, "json")];
  if (!isInputKey(name) || Buffer.byteLength(json) > stepLimits.resultBytes || !isBoundedJson(json)) throw broken();
  return { t: "step", name, ordinal: count(frame["ordinal"]), json };
}

/** Our guests send no other types. */
function previewFrame({ type, data }: Record<string, unknown>): PreviewFrame {
  if (typeof data !== "object" || data === null) throw broken();
  const given = data as Record<string, unknown>;
  const text = string(given, "text");
  switch (type) {
    case "reasoning.delta":
      return { t: "preview", type, data: { ordinal: count(given["ordinal"]), text } };
    case "tool.arguments_delta": {
      const [call_id, name] = [string(given, "call_id", nameChars), string(given, "name", nameChars)];
      return { t: "preview", type, data: { call_id, name, text } };
    }
    default:
      throw broken();
  }
}

/** Our guests send none over the limit. */
function valueFrame(frame: Record<string, unknown>): ValueFrame {
  const [id, mediaType] = [string(frame, "id", idChars), string(frame, "media_type", nameChars)];
  const bytes = Buffer.from(string(frame, "base64"), "base64");
  if (!isId("value", id) || !mediaTypePattern.test(mediaType) || bytes.length > limits.valueBytes) throw broken();
  return { t: "value", id, mediaType, bytes };
}

function string(frame: Record<string, unknown>, key: string, maxChars = Number.POSITIVE_INFINITY): string {
  const value = frame[key];
  if (typeof value !== "string") throw broken();
  return (value.length > maxChars ? value.slice(0, maxChars) : value).toWellFormed();
}

function count(value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
  throw broken();
}

function ordinalOf(value: unknown): { ordinal?: number } {
  return value === undefined ? {} : { ordinal: count(value) };
}

function lastWordsOf({ usage, delivered }: Record<string, unknown>): LastWords {
  const isCount = Number.isSafeInteger(delivered) && (delivered as number) > 0;
  return { ...usageOf(usage), ...(isCount ? { delivered: delivered as number } : {}) };
}

/** Returns the numbers that can be usage. Ignores everything else. */
function usageOf(value: unknown): { usage?: Usage } {
  if (typeof value !== "object" || value === null) return {};
  const fits = ([name, one]: [string, unknown]): boolean =>
    usageName.test(name) && typeof one === "number" && one >= 0 && one <= Number.MAX_SAFE_INTEGER;
  const entries = Object.entries(value).filter(fits).slice(0, usageNamesMax) as [string, number][];
  return entries.length === 0 ? {} : { usage: Object.fromEntries(entries) };
}

function threadsOf(value: unknown): number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) <= threadsMax ? (value as number) : 0;
}

/** A guest that reports anything else keeps none, and what it leaves running ends it. */
function keptOf(value: unknown): { kept?: number } {
  const isCount = typeof value === "number" && Number.isInteger(value) && value > 0 && value <= keptMax;
  return isCount ? { kept: value } : {};
}

function failureCode(value: unknown): FailureCode {
  return typeof value === "string" && guestCodes.has(value) ? (value as FailureCode) : "agent_error";
}

function broken(): ProtocolError {
  const message = "something other than the harness wrote to file descriptor 3, which belongs to the platform";
  return new ProtocolError(message);
}
