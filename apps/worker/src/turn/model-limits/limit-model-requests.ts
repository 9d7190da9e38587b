// Lets a turn's requests to models go out only within the limits of its message. Each reserves what it can use before
// it goes out, in one statement: requests at the same time, and those of lost workers, cannot exceed a limit together.

import { retryThroughOutage } from "@dari/control/context";
import { askForLimit, reserveModelRequest, type AskedLimit, type Turn } from "@dari/control/turns";
import type { ReservationResult } from "@dari/db";
import { modelRequestLimits } from "@dari/domain";
import { type ModelAdmission, type RequestToAdmit, isModelHost } from "@dari/gateway";
import type { RestoredAttempt } from "../attempt.ts";
import type { WorkerContext } from "../../context.ts";
import { describeRefusal, reachedLimitOf, type Limits } from "./describe-limit.ts";
import type { ModelRequestRecorder } from "../recorders/record-model-requests.ts";
import { TurnRefusal, turnEnded, type TurnGate } from "./turn-gate.ts";

/** How long a request waits for the results of others, in milliseconds. SDKs wait as long for an answer. */
const waitMs = 10 * 60_000;

type LimitedAttempt = Pick<RestoredAttempt, "context" | "turn" | "lease">;

/**
 * Returns undefined if the message has no limits. `storeAnswers`: resolves once the answers that have ended are
 * recorded, or could not be.
 */
export function limitModelRequests(
  attempt: LimitedAttempt,
  recorder: ModelRequestRecorder,
  storeAnswers: () => Promise<void>,
): ModelRequestLimiter | undefined {
  const { limits } = attempt.turn;
  if (limits === undefined) return undefined;
  const { requests = modelRequestLimits.requestsPerMessageMax, tokens, cost_usd: costUsd } = limits;
  return new ModelRequestLimiter(attempt, recorder, { limits: { requests, tokens, costUsd }, storeAnswers });
}

/** Returns whether requests to models can be counted, so that limits apply. */
export function isMetered(
  { guarantees }: Pick<WorkerContext, "guarantees">,
  { keptSecrets, manifest }: Pick<Turn, "keptSecrets" | "manifest">,
): boolean {
  if (guarantees.network !== "enforced") return false;
  return (manifest.models ?? []).length > 0 || keptSecrets.some(({ hosts }) => hosts.some((host) => isModelHost(host)));
}

export class ModelRequestLimiter implements TurnGate {
  readonly code = "budget_exceeded";
  readonly readsBody: boolean;
  readonly #attempt: LimitedAttempt;
  readonly #recorder: ModelRequestRecorder;
  readonly #limits: Limits;
  /** Whether a person may raise a limit that is reached. The answers until then are recorded. */
  readonly #canAsk: boolean;
  readonly #storeAnswers: () => Promise<void>;
  /** Reserved requests of this attempt without a result. */
  readonly #open = new Set<number>();
  #changed = Promise.withResolvers<void>();
  #tail: Promise<unknown> = Promise.resolve();
  /** The ordinal of the next request that is reserved. */
  #next: number | undefined;
  readonly #refusal = new TurnRefusal();
  #asked: AskedLimit | undefined;
  #isClosed = false;

  constructor(
    attempt: LimitedAttempt,
    recorder: ModelRequestRecorder,
    { limits, storeAnswers }: { readonly limits: Limits; readonly storeAnswers: () => Promise<void> },
  ) {
    const { manifest, answerRecording, replay } = attempt.turn;
    this.#attempt = attempt;
    this.#recorder = recorder;
    this.#limits = limits;
    // Without recorded answers, the next attempt would use up the raised limit before it comes as far as this one.
    const isRecorded = manifest.retries.record_answers !== undefined && answerRecording !== "never";
    // No one waits to answer a replay.
    this.#canAsk = manifest.limits?.at_limit === "ask" && isRecorded && replay === undefined;
    this.#storeAnswers = storeAnswers;
    this.readsBody = limits.tokens !== undefined || limits.costUsd !== undefined;
  }

  get reached(): string | undefined {
    return this.#refusal.reason;
  }

  /** What the turn asks for instead of failing. Undefined: it fails. */
  get asked(): AskedLimit | undefined {
    return this.#asked;
  }

  admit(request: RequestToAdmit, signal: AbortSignal): Promise<ModelAdmission> {
    const until = performance.now() + waitMs;
    // One at a time, in their order: small requests do not overtake a large one forever.
    const decision = this.#tail.then(() => this.#decide(request, signal, until)).catch(this.#giveUp);
    this.#tail = decision;
    return decision;
  }

  onReached(end: () => void): () => void {
    return this.#refusal.onSent(end);
  }

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
      if (this.#asked !== undefined) return this.#hold(over);
      if (this.reached !== undefined) return this.#refusal.refuse(this.reached);
      const { promise: change } = this.#changed;
      const mayWait = this.#open.size > 0;
      const isLate = performance.now() >= until;
      if (!isAlone || !mayWait) {
        const found = await this.#reserve(request);
        if (found === undefined) return turnEnded;
        if (found.outcome === "reserved") return this.#admit();
        // Requests that are open are paid: a turn that runs again needs their answers.
        const isWorthIt = this.#canAsk && found.outcome !== "price" && !isLate;
        const canChange = found.outcome === "tokens" || found.outcome === "cost";
        if (!mayWait || (!canChange && !isWorthIt) || (isLate && this.#canAsk))
          return this.#stopAt(found, request, over);
      }
      if (isLate) return this.#refusal.refuse(waitedTooLong);
      await waitFor(change, over, until - performance.now());
    }
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

  /** Ends the turn at its limit. */
  async #stopAt(found: ReservationResult, request: RequestToAdmit, over: AbortSignal): Promise<ModelAdmission> {
    const { limits, scrubber } = this.#attempt.turn;
    const { text, advice } = describeRefusal(this.#limits, found, request, scrubber);
    const reached = reachedLimitOf(found, request);
    const question =
      this.#canAsk && reached !== undefined ? askForLimit(limits ?? {}, { ...reached, text }) : undefined;
    if (question === undefined) return this.#refusal.refuse(text + advice);
    await this.#storeAnswers();
    this.#asked = question;
    this.#refusal.end(text + advice);
    return this.#hold(over);
  }

  /**
   * Resolves when the request is over. Its agent gets no answer before it is stopped: it would act on a refusal that
   * its next run does not get.
   */
  async #hold(over: AbortSignal): Promise<ModelAdmission> {
    while (!this.#isClosed && !over.aborted) await waitFor(this.#changed.promise, over, waitMs);
    return turnEnded;
  }

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

const waitedTooLong =
  `the request has waited ${waitMs / 60_000} minutes for others of the message, because of its limit of tokens or ` +
  "cost; set the maximum of each answer (max_tokens), or raise the limit";

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
