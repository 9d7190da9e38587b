// Stores the requests of a running agent to models, in few statements. A request that cannot be stored is logged.

import { retryThroughOutage } from "@dari/control/context";
import { recordModelRequests, type ModelRequestRow, type Turn } from "@dari/control/turns";
import { modelRequestLimits, waitUntilSettled, type ModelTokens } from "@dari/domain";
import type { ModelRequest, ModelResult } from "@dari/gateway";
import type { RestoredAttempt } from "../attempt.ts";

export interface ModelRequestRecorder {
  /**
   * Adds a request, and stores it soon after its result is known. Returns false once `end` was called. `ordinal`: from
   * `nextOrdinal`.
   */
  add(request: ModelRequest, ordinal?: number): boolean;
  /** Returns the position of the next request. */
  nextOrdinal(): number;
  /** Stores the results that are known. Never rejects. */
  flush(): Promise<void>;
  /** Stores everything that was added. Call it once no request is open. Never rejects. */
  end(): Promise<void>;
}

/** Results that are known within this time are stored together, in milliseconds. */
const flushEveryMs = 2_000;
/** Requests whose result is awaited. A sandbox has fewer connections. Further requests are counted without a result. */
const openMax = 2_000;
/** How long `end` waits for results. The sandbox has reported them, and reads what it still holds. Milliseconds. */
const resultsWithinMs = 2_000;

export function createModelRequestRecorder(
  { context, turn, lease }: Pick<RestoredAttempt, "context" | "turn" | "lease">,
  // Each reserved request has a row of its own.
  rowsMax: number = modelRequestLimits[turn.limits === undefined ? "rowsPerAttempt" : "requestsPerMessageMax"],
): ModelRequestRecorder {
  const open = new Map<number, ModelRequest>();
  const noted = new Set<Promise<void>>();
  let count = 0;
  let isEnded = false;
  let waiting: ModelRequestRow[] = [];
  /** Counts the requests after the last one that has a row of its own. */
  let rest: ModelRequestRow | undefined;
  let isRestStored = true;
  let timer: NodeJS.Timeout | undefined;
  let tail = Promise.resolve();

  const nextOrdinal = (): number => (count += 1);
  function note(ordinal: number, result: ModelResult): void {
    const request = open.get(ordinal);
    if (!open.delete(ordinal) || request === undefined) return;
    // A recorded answer costs nothing, so the sums are the same without it.
    if (ordinal > rowsMax && result.isRecorded) return;
    if (ordinal <= rowsMax) waiting.push(toRow(turn, ordinal, request, result));
    else {
      rest = addToRest(rest ?? emptyRest(rowsMax + 1), result);
      isRestStored = false;
    }
    timer ??= setTimeout(flush, flushEveryMs).unref();
  }
  async function store(rows: readonly ModelRequestRow[]): Promise<void> {
    try {
      await retryThroughOutage(context, () => recordModelRequests(context.db, turn, rows), lease.signal);
    } catch (err) {
      context.log.warn({ err, attempt: turn.attemptId, requests: rows.length }, "turn.model_requests_lost");
    }
  }
  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const rows = [...waiting, ...(rest === undefined || isRestStored ? [] : [rest])];
    waiting = [];
    isRestStored = true;
    if (rows.length > 0) tail = tail.then(() => store(rows));
    return tail;
  }

  return {
    nextOrdinal,
    flush,
    add(request, ordinal = nextOrdinal()) {
      if (isEnded) return false;
      open.set(ordinal, request);
      if (open.size > openMax) {
        note(ordinal, unknownResult);
        return true;
      }
      const done = request.result.then((result) => note(ordinal, result)).finally(() => noted.delete(done));
      noted.add(done);
      return true;
    },
    async end() {
      isEnded = true;
      if (noted.size > 0) await waitUntilSettled(resultsWithinMs, Promise.all(noted));
      for (const ordinal of open.keys()) note(ordinal, unknownResult);
      await flush();
    },
  };
}

function toRow(
  { scrubber }: Pick<Turn, "scrubber">,
  ordinal: number,
  { host, format }: ModelRequest,
  { model, finishReason, ...counts }: ModelResult,
): ModelRequestRow {
  // An agent can choose the name of a model that does not exist, and the error can repeat it.
  const scrub = (text: string | null): string | null =>
    text === null ? null : scrubber.text(text, { isCut: text.length >= modelRequestLimits.nameChars });
  return { ordinal, requests: 1, host, format, ...counts, model: scrub(model), finishReason: scrub(finishReason) };
}

const noTokens: ModelTokens = { input: null, cachedInput: null, cacheWrite: null, output: null, reasoning: null };
const nothing = { ...noTokens, status: null, model: null, finishReason: null, unread: null, isRecorded: false };
const unknownResult: ModelResult = { ...nothing, isComplete: false, durationMs: 0 };

function emptyRest(ordinal: number): ModelRequestRow {
  return { ...nothing, ordinal, requests: 0, host: null, format: null, isComplete: true, durationMs: 0 };
}

/** Adds a request to the row that counts those without a row. The row is complete if all of them are. */
function addToRest(rest: ModelRequestRow, result: ModelResult): ModelRequestRow {
  const sum = (name: keyof ModelTokens): number | null =>
    result[name] === null ? rest[name] : (rest[name] ?? 0) + result[name];
  return {
    ...rest,
    requests: rest.requests + 1,
    input: sum("input"),
    cachedInput: sum("cachedInput"),
    cacheWrite: sum("cacheWrite"),
    output: sum("output"),
    reasoning: sum("reasoning"),
    durationMs: rest.durationMs + result.durationMs,
    isComplete: rest.isComplete && result.isComplete,
  };
}
