// Gives a request to a model its recorded answer back, or records the answer that it gets.

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { AnswerRecorder, AnswerEntry, AnswerResult, RecordedAnswer } from "./answer-recorder.ts";
import { AnswerBuffer } from "./answer-buffer.ts";
import { holdRequest, type HeldRequest } from "./held-request.ts";
import type { GatedRequest } from "./model-gate.ts";
import type { ModelExchange, ModelResult } from "./model-meter.ts";
import { digestRequest } from "./request-digest.ts";

export interface RequestToRecord extends GatedRequest {
  /** The headers that the agent sent, with the names of credentials in place of their placeholders. */
  readonly headers: IncomingHttpHeaders;
}

/** A request without a recorded answer. */
export interface UnrecordedRequest {
  readonly holding: HeldRequest;
  /**
   * Call it when the request goes out. Returns the function that is called with the answer, after the client listens to
   * it, so that the client is first.
   */
  record(exchange: ModelExchange): (received: IncomingMessage) => void;
  /** Call it if the request does not go out. */
  cancel(): void;
}

/**
 * Resolves with undefined if the request must not go out: it was served, with the exchange that `begin` returns, or its
 * client has left. A body that is too large to be held goes out unrecorded.
 */
export async function giveBackOrRecord(
  recorder: AnswerRecorder,
  request: RequestToRecord,
  begin: () => ModelExchange,
): Promise<UnrecordedRequest | undefined> {
  const { incoming, headers, response, host, call, waiting, signal } = request;
  // Node removes the socket from the request once the request has ended.
  const { socket, method, url } = incoming;
  const holding = await holdRequest(incoming, waiting).catch(() => undefined);
  if (holding === undefined) return undefined;
  const { body, release } = holding;
  if (signal.aborted) release();
  else signal.addEventListener("abort", release, { once: true });
  const digest = body && digestRequest(host, call.format, { method, url, headers }, body);
  const entry = recorder.begin(digest);
  const recorded = await entry?.find();
  if (entry === undefined || recorded === undefined) {
    await recorder.settled();
    const cancel = (): void => void entry?.end(Promise.resolve("failed"));
    const record = (exchange: ModelExchange) =>
      entry === undefined ? () => {} : recordAnswer(entry, recorder, exchange);
    return { holding, record, cancel };
  }
  const isServed = !signal.aborted && sendRecorded(response, recorded.answer);
  if (isServed) {
    const exchange = begin();
    exchange.replayed(recorded.answer);
    await exchange.whole;
  } else socket.destroy();
  release();
  recorded.release();
  void entry.end(Promise.resolve(isServed ? "unrecorded" : "failed"));
  return undefined;
}

/** Returns whether the answer could be sent. Node reads some headers that it cannot write. */
function sendRecorded(response: ServerResponse, { status, headers, body }: RecordedAnswer): boolean {
  try {
    response.writeHead(status, { ...headers, "content-length": body.length });
  } catch {
    return false;
  }
  response.end(body);
  return true;
}

function recordAnswer(
  entry: AnswerEntry,
  recorder: AnswerRecorder,
  exchange: ModelExchange,
): (received: IncomingMessage) => void {
  const buffer = new AnswerBuffer(recorder.room);
  let received: IncomingMessage | undefined;
  const result = exchange.whole.then((read) => resultOf(received, buffer, read));
  let isEnded = false;
  function end(): void {
    if (isEnded) return;
    isEnded = true;
    void entry.end(result).then(() => buffer.drop());
  }
  void result.then(end);
  return (answer) => {
    received = answer;
    answer.on("data", (chunk: Buffer) => buffer.write(chunk));
    // The agent can begin its next request before the meter has read this answer.
    answer.once("end", end);
  };
}

/** Headers of a recorded answer. Others belong to the moment, such as rate limits. */
const recordedHeaders = ["content-type", "content-encoding", "request-id", "x-request-id"];
/** What the formats call an answer that failed after its headers. */
const failedReasons: readonly (string | null)[] = ["error", "failed", "cancelled"];

function resultOf(received: IncomingMessage | undefined, buffer: AnswerBuffer, read: ModelResult): AnswerResult {
  const { status, isComplete, model, finishReason, unread } = read;
  if (received === undefined || status === null || status < 200 || status > 299) return "failed";
  if (failedReasons.includes(finishReason)) return "failed";
  if (!isComplete) return received.complete && unread !== null ? "unrecorded" : "failed";
  const body = buffer.bytes();
  // What has no reason to end, such as a page of a proxy, is no answer of a model.
  if (finishReason === null || body === undefined || !isWhole(received, body)) return "unrecorded";
  const headers = Object.entries(received.headers).filter(([name]) => recordedHeaders.includes(name));
  return { status, headers: Object.fromEntries(headers) as Record<string, string>, body, model, finishReason };
}

/** Returns whether nothing is missing at the end of an answer, of which the meter has read the end. */
function isWhole({ complete, headers }: IncomingMessage, body: Buffer): boolean {
  const isFramed = headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
  if (complete && isFramed) return true;
  const isStream = /^text\/event-stream\b/i.test(headers["content-type"] ?? "");
  // SDKs leave a stream after its last event, and a host can end an answer by closing the connection.
  return isStream && headers["content-encoding"] === undefined ? endsAtEvent(body) : complete;
}

function endsAtEvent(body: Buffer): boolean {
  return /(?:\n\n|\r\n\r\n|\r\r)$/.test(body.toString("latin1", Math.max(0, body.length - 4)));
}
