// Meters the requests of one sandbox to models. Each request is reported when it begins, so that it belongs to the turn
// that began it. Its numbers follow.

import type { IncomingMessage } from "node:http";
import type { ModelAnswer, ModelFormat } from "@dari/domain";
import type { RecordedAnswer } from "./answer-recorder.ts";
import type { DeclaredModels } from "./declared-models.ts";
import { findModelCall, type ModelCall } from "./known-models.ts";
import { createAnswerReader, type AnswerReader, type Decompressors } from "./read-answer.ts";

export interface ModelRequest {
  /** With its port, if that is not 443. */
  readonly host: string;
  readonly format: ModelFormat;
  /** Resolves once the request or its turn has ended. Never rejects. */
  readonly result: Promise<ModelResult>;
}

export interface ModelResult extends ModelAnswer {
  /** Null: there was no answer. */
  readonly status: number | null;
  readonly durationMs: number;
  /** Whether the agent got a recorded answer. */
  readonly isRecorded: boolean;
}

export interface ModelExchange {
  readonly format: ModelFormat;
  /** Resolves with all that was read, once the request has ended. Never rejects. */
  readonly whole: Promise<ModelResult>;
  /** Reads the answer as it arrives. Call it after the client listens to the answer, so that the client is first. */
  answered(received: IncomingMessage): void;
  /** Notes that the client got a recorded answer. */
  replayed(answer: Pick<RecordedAnswer, "status" | "model" | "finishReason">): void;
  /** Reports what was read. Idempotent. */
  ended(): void;
}

export interface ModelMeter {
  /**
   * Returns what the request asks of a model, or undefined if it is not metered. `host`: with its port, if that is not
   * 443.
   */
  find(host: string, request: Pick<IncomingMessage, "method" | "url">): ModelCall | undefined;
  /** Begins to meter a request. `first`: gets its first report. */
  begin(host: string, call: ModelCall, first?: Report): ModelExchange;
  /** Reports what the open requests have used so far. What they use after that is reported as another request. */
  settle(): void;
}

type Report = (request: ModelRequest) => void;

export function createModelMeter(report: Report | undefined, declared: DeclaredModels): ModelMeter {
  const toTurn: Report = report ?? (() => {});
  const open = new Set<() => void>();
  const decompressors: Decompressors = { open: 0 };
  return {
    find(host, { method, url = "" }) {
      if (report === undefined) return undefined;
      const { name, port } = splitHost(host);
      return findModelCall(name, method, url) ?? declared.find({ host: name, port }, method, url);
    },
    begin(host, call, first = toTurn) {
      const { settle, ...exchange } = openExchange(host, call, { first, later: toTurn }, decompressors);
      open.add(settle);
      return {
        ...exchange,
        ended() {
          open.delete(settle);
          exchange.ended();
        },
      };
    },
    settle() {
      for (const settle of open) settle();
    },
  };
}

/** `host`: with its port, if that is not 443. */
export function splitHost(host: string): { readonly name: string; readonly port: number } {
  const [, name = host, port = "443"] = /^(.*):(\d+)$/.exec(host) ?? [];
  return { name, port: Number(port) };
}

function openExchange(
  host: string,
  call: ModelCall,
  report: { readonly first: Report; readonly later: Report },
  decompressors: Decompressors,
): ModelExchange & { settle(): void } {
  const { format } = call;
  const startedAt = performance.now();
  const first = Promise.withResolvers<ModelResult>();
  const whole = Promise.withResolvers<ModelResult>();
  let status: number | null = null;
  let replayed: Partial<ModelResult> | undefined;
  let reader: AnswerReader | undefined;
  let isOver = false;
  /** What was reported last. Counts are those since the beginning. */
  let reported: Promise<ModelResult> | undefined;
  let isUnreported = true;
  report.first({ host, format, result: first.promise });

  async function read(): Promise<ModelResult> {
    const durationMs = Math.round(performance.now() - startedAt);
    return { ...((await reader?.read()) ?? noAnswer), status, durationMs, isRecorded: false, ...replayed };
  }
  function settle(): void {
    if (!isUnreported) return;
    isUnreported = false;
    const before = reported;
    const now = (reported = read());
    if (before === undefined) first.resolve(now);
    else report.later({ host, format, result: Promise.all([now, before]).then(([all, part]) => subtract(all, part)) });
  }
  return {
    format,
    whole: whole.promise,
    settle,
    replayed({ status: was, model, finishReason }) {
      replayed = { status: was, model, finishReason, isComplete: true, isRecorded: true };
    },
    answered(received) {
      if (isOver) return;
      isUnreported = true;
      status = received.statusCode ?? null;
      const { "content-type": contentType, "content-encoding": contentEncoding } = received.headers;
      const opened = (reader = createAnswerReader(call, { contentType, contentEncoding }, decompressors));
      received.on("data", (chunk: Buffer) => {
        isUnreported = true;
        opened.write(chunk);
      });
      received.once("end", () => opened.end());
    },
    ended() {
      if (isOver) return;
      isOver = true;
      settle();
      whole.resolve(reported ?? read());
      void whole.promise.then(() => reader?.close());
    },
  };
}

const noTokens = { input: null, cachedInput: null, cacheWrite: null, output: null, reasoning: null };
const noAnswer: ModelAnswer = { ...noTokens, model: null, finishReason: null, isComplete: false, unread: null };

/** Returns what an answer has used since a part of it was reported. */
function subtract(all: ModelResult, part: ModelResult): ModelResult {
  const since = (count: number | null, before: number | null): number | null =>
    count === null ? null : Math.max(0, count - (before ?? 0));
  return {
    ...all,
    input: since(all.input, part.input),
    cachedInput: since(all.cachedInput, part.cachedInput),
    cacheWrite: since(all.cacheWrite, part.cacheWrite),
    output: since(all.output, part.output),
    reasoning: since(all.reasoning, part.reasoning),
    durationMs: all.durationMs - part.durationMs,
  };
}
