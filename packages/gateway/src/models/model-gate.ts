// Lets a request to a model go out only if its turn has something left for it. Otherwise the proxy refuses it in the
// provider's own words.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { ModelFormat } from "@dari/domain";
import { holdRequest, type HeldBytes, type HeldRequest } from "./held-request.ts";
import type { ModelCall } from "./known-models.ts";
import type { ModelRequest, ModelResult } from "./model-meter.ts";
import { notKnown, worstCaseOf, type WorstCase } from "./worst-case.ts";

/** A request to a model that has not gone out. */
export interface RequestToAdmit extends WorstCase {
  /** With its port, if that is not 443. */
  readonly host: string;
  readonly format: ModelFormat;
}

export interface ModelGate {
  /** Whether the worst case is needed. Otherwise it is not known, and no body is held. */
  readonly readsBody: boolean;
  /**
   * Resolves once the request may go out, or never may. `signal` aborts when the client leaves; the request is refused
   * then. Never rejects.
   */
  admit(request: RequestToAdmit, signal: AbortSignal): Promise<ModelAdmission>;
}

export type ModelAdmission =
  | {
      readonly isAdmitted: true;
      /** Called once, when the request goes out or turns out not to. */
      report(request: ModelRequest): void;
    }
  | {
      readonly isAdmitted: false;
      /** For the agent. */
      readonly reason: string;
      /** Whether the same request could be admitted later. */
      readonly isTemporary: boolean;
      /** Called once the refusal was sent, or its client has left. */
      onRefused?(): void;
    };

/** What a request that was admitted goes out with. */
export interface AdmittedRequest {
  /** Undefined: the request is still a stream. */
  readonly body: Buffer | undefined;
  report(request: ModelRequest): void;
  /** Releases the body. Call it once the body was sent. It is released in any case once the request is over. */
  release(): void;
}

export interface GatedRequest {
  readonly host: string;
  readonly call: ModelCall;
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
  readonly waiting: WaitingRequests;
  /** What was held of the request before. Undefined: nothing. */
  readonly holding?: HeldRequest | undefined;
  /** Aborts once the request is over: it was answered, or its client has left. */
  readonly signal: AbortSignal;
}

/** Shared by the requests of a sandbox. */
export interface WaitingRequests {
  readonly held: HeldBytes;
  /** Ends with the last body that is read: one at a time, because reading takes the time of other sandboxes. */
  reading: Promise<unknown>;
}

/** Resolves with undefined if the request must not go out: it was refused, or its client has left. */
export async function passGate(gate: ModelGate, request: GatedRequest): Promise<AdmittedRequest | undefined> {
  const { host, call, incoming, response, waiting, signal } = request;
  const { format } = call;
  const held =
    request.holding ?? (gate.readsBody ? await holdRequest(incoming, waiting).catch(() => undefined) : streamed);
  if (held === undefined) return undefined;
  const { body, release } = held;
  whenOver(signal, release);
  const isMasked = choosesFields(host, format, incoming);
  const worst = body === undefined || isMasked || !gate.readsBody ? notKnown : await readWorstCase(request, body);
  const admission = await gate.admit({ host, format, ...worst }, signal);
  if (!admission.isAdmitted) {
    release();
    if (admission.onRefused !== undefined) whenOver(signal, admission.onRefused);
    if (!signal.aborted) refuse(response, format, admission);
    return undefined;
  }
  const report = isMasked ? reportIncomplete(admission.report) : admission.report;
  if (!signal.aborted) return { body, report, release };
  admission.report({ host, format, result: Promise.resolve(notSent) });
  return undefined;
}

async function readWorstCase({ call, incoming, waiting, signal }: GatedRequest, body: Buffer): Promise<WorstCase> {
  const { "content-type": contentType, "content-encoding": contentEncoding } = incoming.headers;
  const read = (): Promise<WorstCase> =>
    signal.aborted ? Promise.resolve(notKnown) : worstCaseOf(call, { body, contentType, contentEncoding }, signal);
  const reading = waiting.reading.then(read);
  waiting.reading = reading.catch(() => {});
  return reading;
}

/**
 * Returns whether the request chooses the fields of its answer, or its own headers, in ways that only Google's API has:
 * it can leave out counts then.
 */
function choosesFields(host: string, format: ModelFormat, { url = "", headers }: IncomingMessage): boolean {
  if (format !== "gemini" && !/(?:^|\.)googleapis\.com(?::\d+)?$/.test(host)) return false;
  const names = [...new URL(`http://host${url}`).searchParams.keys()];
  return headers["x-goog-fieldmask"] !== undefined || names.some((name) => name !== "alt" && name !== "key");
}

/** The counts of such an answer are not all, so it must count as what it has reserved. */
function reportIncomplete(report: (request: ModelRequest) => void): (request: ModelRequest) => void {
  return (request) => {
    const result = request.result.then((found) => ({ ...found, isComplete: false }));
    report({ ...request, result });
  };
}

/** A request whose body is not held. */
const streamed: HeldRequest = { body: undefined, release: () => {} };

function whenOver(signal: AbortSignal, action: () => void): void {
  if (signal.aborted) action();
  else signal.addEventListener("abort", action, { once: true });
}

/** The result of a request that did not go out: complete, without a status. */
const notSent: ModelResult = {
  ...{ input: null, cachedInput: null, cacheWrite: null, output: null, reasoning: null, model: null },
  ...{ finishReason: null, isComplete: true, unread: null, status: null, durationMs: 0, isRecorded: false },
};

type Refusal = Extract<ModelAdmission, { readonly isAdmitted: false }>;

/**
 * Sends an error that SDKs of the format understand, and try again only if it is temporary. The connection stays open:
 * what the client still sends is read, so that it gets the answer.
 */
function refuse(response: ServerResponse, format: ModelFormat, { reason, isTemporary }: Refusal): void {
  const type = { "content-type": "application/json" };
  if (isTemporary) response.writeHead(503, type);
  else response.writeHead(429, { ...type, "x-should-retry": "false" });
  response.end(JSON.stringify(errorOf(format, reason, isTemporary)));
}

function errorOf(format: ModelFormat, message: string, isTemporary: boolean): object {
  switch (format) {
    case "openai-chat":
    case "openai-responses": {
      const type = isTemporary ? "server_error" : "insufficient_quota";
      return { error: { message, type, param: null, code: type } };
    }
    case "anthropic-messages":
      return { type: "error", error: { type: isTemporary ? "overloaded_error" : "rate_limit_error", message } };
    case "gemini":
      return isTemporary
        ? { error: { code: 503, message, status: "UNAVAILABLE" } }
        : { error: { code: 429, message, status: "RESOURCE_EXHAUSTED" } };
  }
}
