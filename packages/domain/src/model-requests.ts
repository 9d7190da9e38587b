// Requests of agents to models, as the agents' network proxy meters them.

import { parseEgressHost } from "./egress.ts";

export const modelRequestLimits = {
  /**
   * Requests of one run of an SDK's agent. Ten, that SDK's own default, ends agents that work through a few files or
   * pages. A hundred is more than a turn usually needs, and still ends an agent that goes in circles.
   */
  perRunDefault: 100,
  perRunMax: 10_000,
  /** Requests of one attempt that have a row of their own. One more row counts the rest. */
  rowsPerAttempt: 1_000,
  /** The largest limits of a message. Each of its requests has a row of its own. */
  requestsPerMessageMax: 10_000,
  tokensPerMessageMax: 1_000_000_000_000,
  usdPerMessageMin: 0.01,
  usdPerMessageMax: 100_000,
  /** The length of a model's name, and of the reason why it stopped. */
  nameChars: 200,
} as const;

/** Money is stored in millionths of a US dollar. */
export const microPerDollar = 1_000_000;

const dollars = new Intl.NumberFormat("en", {
  ...{ style: "currency", currency: "USD", minimumFractionDigits: 2, maximumFractionDigits: 6 },
});

/** Returns an amount of US dollars for people, with all its millionths. */
export function showUsd(usd: number): string {
  return dollars.format(usd);
}

export const priceLimits = {
  /** Prices of one price list. */
  pricesPerList: 1_000,
  /** Dates that have a price list. */
  lists: 200,
  /** US dollars for a million tokens. */
  usdMax: 1_000_000,
  hostChars: 253,
} as const;

/**
 * Why a request has no cost. `no_price`: no price fitted when the row was stored. `no_tokens`: the provider reported
 * none. `sum`: the row counts several requests.
 */
export const unpricedReasons = ["no_price", "no_tokens", "sum"] as const;
export type UnpricedReason = (typeof unpricedReasons)[number];

/** Limits of a message's requests to models: of those that are metered, in all of its attempts. Absent: no limit. */
export interface MessageLimits {
  readonly requests?: number;
  /** Input and output together. */
  readonly tokens?: number;
  /** US dollars, by the price list in force. */
  readonly cost_usd?: number;
}

/** A limit that a message has reached, before a request that no longer fits. */
export interface ReachedLimit {
  readonly limit: keyof MessageLimits;
  /** The limit's value. */
  readonly value: number;
  /** What the message has used of it, or reserved. */
  readonly used: number;
  /** The most that the refused request can use. Null: not known. */
  readonly requested: number | null;
  /** The lowest limit with which the request fits. */
  readonly needed: number;
}

/** Whether an organization allows that answers of models are recorded. `never`: also if dari.yml asks for it. */
export const answerRecordings = ["allowed", "never"] as const;
export type AnswerRecording = (typeof answerRecordings)[number];

/** For how many days the recorded answers of a completed message can be kept, so that its turn can be replayed. */
export const recordingDaysMax = 30;

/** Limits of recorded answers, which are stored until their message ends, or longer as a recording. */
export const recordedAnswerLimits = {
  rowsPerMessage: 1_000,
  /** Bytes of the sealed answers of one message. */
  bytesPerMessage: 64 * 1024 ** 2,
  /** Bytes of one answer, as it passed. A larger one is not recorded. */
  bytesPerAnswer: 8 * 1024 ** 2,
  /** Bytes of answers that a worker holds in memory for one turn, while they pass or are stored. */
  heldBytesPerTurn: 32 * 1024 ** 2,
  /** The same for all turns of a worker. */
  heldBytesPerWorker: 256 * 1024 ** 2,
} as const;

/** The wire formats that are read. */
export const modelFormats = ["openai-responses", "openai-chat", "anthropic-messages", "gemini"] as const;
export type ModelFormat = (typeof modelFormats)[number];

/** How a host of models is reached. The proxy reads both. */
export const modelSchemes = ["https", "http"] as const;
export type ModelScheme = (typeof modelSchemes)[number];

/** A host of models that an agent's dari.yml names, so that requests to it are metered. */
export interface DeclaredModel {
  /** A name or an IPv4 address, in lower case, with its port unless it is that of the scheme. */
  readonly host: string;
  readonly scheme: ModelScheme;
  /** What precedes the format's own path, such as `/v1`. Absent: anything. */
  readonly path?: string;
  readonly format: ModelFormat;
}

export const declaredModelLimits = {
  /** Entries of one manifest. */
  entries: 20,
  pathChars: 200,
} as const;

/** The ports that a host has without one. */
const schemePorts: Readonly<Record<ModelScheme, number>> = { https: 443, http: 80 };

/** Returns the one name and port that an entry is for. Undefined if its host is not one. */
export function modelEndpoint({
  host,
  scheme,
}: Pick<DeclaredModel, "host" | "scheme">): { readonly name: string; readonly port: number } | undefined {
  const parsed = parseEgressHost(host);
  if (parsed === undefined || parsed.subdomains) return undefined;
  return { name: parsed.name, port: parsed.port ?? schemePorts[scheme] };
}

/**
 * Why the rest of an answer was not read. `encoding`: its content encoding is not known. `too_large`: it, or one of its
 * events, is larger than the limit. `too_fast`: it arrived faster than it could be decompressed. `too_many`: too many
 * compressed answers were open. `malformed`: it is cut, or not what its headers say.
 */
export const unreadReasons = ["encoding", "too_large", "too_fast", "too_many", "malformed"] as const;
export type UnreadReason = (typeof unreadReasons)[number];

/** Counts of tokens, as the provider reports them. Null: it did not report the count. */
export interface ModelTokens {
  /** All tokens of the request, including `cachedInput` and `cacheWrite`. */
  readonly input: number | null;
  /** Tokens that the provider read from its cache. */
  readonly cachedInput: number | null;
  /** Tokens that the provider wrote to its cache. */
  readonly cacheWrite: number | null;
  /** All tokens of the answer, including `reasoning`. */
  readonly output: number | null;
  readonly reasoning: number | null;
}

/** What was read of a model's answer. */
export interface ModelAnswer extends ModelTokens {
  readonly model: string | null;
  readonly finishReason: string | null;
  /** Whether the answer was read to its end. */
  readonly isComplete: boolean;
  readonly unread: UnreadReason | null;
}
