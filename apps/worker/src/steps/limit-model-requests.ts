// Lets a turn's requests to models go out only within the limits of its message. Each reserves what it can use before
// it goes out, in one statement: requests at the same time, and those of lost workers, cannot exceed a limit together.

import { retryThroughOutage } from "@dari/control/context";
import { reserveModelRequest, type Turn } from "@dari/control/turns";
import type { ReservationResult } from "@dari/db";
import { microPerDollar, modelRequestLimits } from "@dari/domain";
import { isModelHost, type ModelAdmission, type ModelGate, type RequestToAdmit } from "@dari/sandbox";
import type { RestoredAttempt } from "../attempt.ts";
import type { ModelRequestRecorder } from "./record-model-requests.ts";

/** How long a request waits for the results of others, in milliseconds. SDKs wait as long for an answer. */
const waitMs = 10 * 60_000;
/** How long after a refusal the turn ends in any case, in milliseconds. */
const endWithinMs = 5_000;

type LimitedAttempt = Pick<RestoredAttempt, "context" | "turn" | "lease">;

/** Returns undefined if the message has no limits. */
export function limitModelRequests(
  attempt: LimitedAttempt,
  recorder: ModelRequestRecorder,
): ModelRequestLimiter | undefined {
  const { limits } = attempt.turn;
  if (limits === undefined) return undefined;
  const { requests = modelRequestLimits.requestsPerMessageMax, tokens, cost_usd: costUsd } = limits;
  return new ModelRequestLimiter(attempt, recorder, { requests, tokens, costUsd });
}

/** Returns whether requests to models can be counted, so that limits apply. */
export function isMetered({ keptSecrets }: Pick<Turn, "keptSecrets">): boolean {
  return keptSecrets.some(({ hosts }) => hosts.some((host) => isModelHost(host)));
}

export class ModelRequestLimiter implements ModelGate {
  readonly readsBody: boolean;
  readonly #attempt: LimitedAttempt;
  readonly #recorder: ModelRequestRecorder;
  readonly #limits: Limits;
  /** Reserved requests of this attempt without a result. */
  readonly #open = new Set<number>();
  #changed = Promise.withResolvers<void>();
  #tail: Promise<unknown> = Promise.resolve();
  /** The ordinal of the next request that is reserved. */
  #next: number | undefined;
  #reached: string | undefined;
  #isRefusalSent = false;
  #isClosed = false;
  readonly #listeners = new Set<() => void>();

  constructor(attempt: LimitedAttempt, recorder: ModelRequestRecorder, limits: Limits) {
    this.#attempt = attempt;
    this.#recorder = recorder;
    this.#limits = limits;
    this.readsBody = limits.tokens !== undefined || limits.costUsd !== undefined;
  }

  /** Why a request was refused, and the turn fails. Undefined: none was. */
  get reached(): string | undefined {
    return this.#reached;
  }

  admit(request: RequestToAdmit, signal: AbortSignal): Promise<ModelAdmission> {
    const until = performance.now() + waitMs;
    // One at a time, in their order: small requests do not overtake a large one forever.
    const decision = this.#tail.then(() => this.#decide(request, signal, until)).catch(this.#giveUp);
    this.#tail = decision;
    return decision;
  }

  /** Calls back once after a refusal was sent, if there is one. Returns a function that stops that. */
  onReached(end: () => void): () => void {
    if (this.#isRefusalSent) end();
    else this.#listeners.add(end);
    return () => void this.#listeners.delete(end);
  }

  /** Refuses what waits, and whatever follows. */
  close(): void {
    this.#isClosed = true;
    this.#notify();
  }

  async #decide(request: RequestToAdmit, signal: AbortSignal, until: number): Promise<ModelAdmission> {
    const over = AbortSignal.any([signal, this.#attempt.lease.signal]);
    // What it can use is not known, so it goes out only while no other request is open.
    const isBounded = request.tokensMax !== null && (this.#limits.costUsd === undefined || request.model !== null);
    const isAlone = this.readsBody && !isBounded;
    for (;;) {
      if (this.#isClosed || over.aborted) return turnEnded;
      if (this.#reached !== undefined) return this.#refuse(this.#reached);
      const { promise: change } = this.#changed;
      const mayWait = this.#open.size > 0;
      if (!isAlone || !mayWait) {
        const found = await this.#reserve(request);
        if (found === undefined) return turnEnded;
        if (found.outcome === "reserved") return this.#admit();
        const isFinal = found.outcome === "requests" || found.outcome === "price";
        if (isFinal || !mayWait) return this.#refuse(this.#explain(found, request));
      }
      if (performance.now() >= until) return this.#refuse(waitedTooLong);
      await waitFor(change, over, until - performance.now());
    }
  }

  #explain(found: ReservationResult, { host, model, tokensMax }: RequestToAdmit): string {
    const { scrubber } = this.#attempt.turn;
    // The agent chose the name.
    if (found.outcome === "price") return unpricedText(host, scrubber.text(model ?? ""));
    return textOf(this.#limits, found, tokensMax);
  }

  async #reserve({ host, format, ...worst }: RequestToAdmit): Promise<ReservationResult | undefined> {
    const { context, turn, lease } = this.#attempt;
    const ordinal = (this.#next ??= this.#recorder.nextOrdinal());
    // Requests whose results are known must not count as what they have reserved.
    await this.#recorder.flush();
    const { tokensMax: tokens, inputMax: input, model } = worst;
    const request = { ordinal, host, format, tokens, input, model };
    const reserve = () => reserveModelRequest(context.db, turn, request, this.#limits);
    return retryThroughOutage(context, reserve, lease.signal);
  }

  #admit(): ModelAdmission {
    const ordinal = this.#next!;
    this.#next = undefined;
    this.#open.add(ordinal);
    return {
      isAdmitted: true,
      report: (request) => {
        this.#recorder.add(request, ordinal);
        void request.result.then(() => {
          this.#open.delete(ordinal);
          this.#notify();
        });
      },
    };
  }

  #refuse(reason: string): ModelAdmission {
    // A client that does not read its refusal must not go on for it.
    if (this.#reached === undefined) setTimeout(this.#end, endWithinMs).unref();
    this.#reached ??= reason;
    return { isAdmitted: false, isTemporary: false, reason, onRefused: this.#end };
  }

  readonly #end = (): void => {
    this.#isRefusalSent = true;
    for (const end of this.#listeners) end();
    this.#listeners.clear();
  };

  readonly #giveUp = (error: unknown): ModelAdmission => {
    const { context, turn } = this.#attempt;
    context.log.warn({ err: error, attempt: turn.attemptId }, "turn.model_request_not_reserved");
    // The statement may have reserved it.
    this.#next = undefined;
    const reason = "the platform could not check the limits of this message; try again";
    return { isAdmitted: false, isTemporary: true, reason };
  };

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

const turnEnded: ModelAdmission = {
  isAdmitted: false,
  isTemporary: true,
  reason: "the turn that this request belongs to has ended",
};

const waitedTooLong =
  `the request has waited ${waitMs / 60_000} minutes for others of the message, because of its limit of tokens or ` +
  "cost; set the maximum of each answer (max_tokens), or raise the limit";

interface Limits {
  readonly requests: number;
  readonly tokens: number | undefined;
  readonly costUsd: number | undefined;
}

function unpricedText(host: string, model: string): string {
  return (
    `the cost of the message is limited, and the model ${model} of ${host} has no price; let an operator import one ` +
    "(dari operator prices import), or use limits.tokens in place of limits.cost_usd"
  );
}

/** Says which limit is reached, for the agent and for the message's error. `asked`: null if not known. */
function textOf(limits: Limits, found: ReservationResult, asked: number | null): string {
  const { outcome, requests } = found;
  const raise = (name: string): string => `raise limits.${name} in dari.yml, or in the request that sends the message`;
  if (outcome === "requests") {
    const what = `limit reached: the message has made ${show(requests)} of ${show(limits.requests)} requests to models`;
    const isMost = limits.requests === modelRequestLimits.requestsPerMessageMax;
    return isMost ? `${what}, the most that a message with limits can make` : `${what}; ${raise("requests")}`;
  }
  const how = "set max_tokens, and include_usage for streams";
  const lower = "or set a lower maximum of the answer (max_tokens)";
  if (outcome === "cost") {
    const { cost, unknownCost, maxCost, askedCost } = found;
    const used = `limit reached: ${usd(cost)} of the message's ${usd(maxCost ?? 0)} are used or reserved`;
    const open = unknownCost === 0 ? "" : ` (${usd(unknownCost)} by requests whose cost is not known: ${how})`;
    const next = askedCost === null ? "" : `, and this request can cost up to ${usd(askedCost)}`;
    return `${used}${open}${next}; ${raise("cost_usd")}, ${lower}`;
  }
  const { tokens, unknown } = found;
  const all = show(limits.tokens ?? 0);
  const used = `limit reached: ${show(tokens)} of the message's ${all} tokens are used or reserved`;
  const open = unknown === 0 ? "" : ` (${show(unknown)} by requests whose use is not known: ${how})`;
  const next = asked === null ? "" : `, and this request can use up to ${show(asked)}`;
  return `${used}${open}${next}; ${raise("tokens")}, ${lower}`;
}

const dollars = new Intl.NumberFormat("en", {
  ...{ style: "currency", currency: "USD", minimumFractionDigits: 2, maximumFractionDigits: 6 },
});

function usd(micro: number): string {
  return dollars.format(micro / microPerDollar);
}

function show(count: number): string {
  return count.toLocaleString("en");
}

/** Resolves after the change, once `over` aborts, or after `ms`. */
function waitFor(change: Promise<void>, over: AbortSignal, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      over.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(0, ms));
    over.addEventListener("abort", done);
    void change.then(done);
  });
}
