// Streams the ledger as it grows, through broken connections.

import { createParser } from "eventsource-parser";
import type { StreamOptions } from "./call.ts";
import { piecesOf } from "./content.ts";
import { ApiError, ConnectionError, isPassing } from "./errors.ts";
import type {
  Event,
  MessageCancelledEvent,
  MessageCompletedEvent,
  MessageFailedEvent,
  StreamItem,
} from "./generated/models.ts";
import { pause } from "./pause.ts";
import { backoffMs, retryAfterMs } from "./retry.ts";
import type { HttpRequest, Transport } from "./transport.ts";

/** Returns true for stored events, false for previews. */
export function isLedgerEvent(event: StreamItem): event is Event {
  return "sequence_number" in event;
}

/** The last event of a message. Its payload is the message's record. */
export type MessageEndEvent = MessageCompletedEvent | MessageFailedEvent | MessageCancelledEvent;

const messageEndTypes: readonly string[] = ["message.completed", "message.failed", "message.cancelled"];

export function isMessageEnd(event: StreamItem): event is MessageEndEvent {
  return messageEndTypes.includes(event.type);
}

export interface StreamCall {
  readonly request: HttpRequest;
  /** The path with its ids, without the query. */
  readonly path: string;
  readonly query: Readonly<Record<string, unknown>>;
  readonly options: StreamOptions;
}

/** How many times in a row a stream is resumed without an event in between. */
const resumeAttempts = 8;
/** A connection that lasted this long was good: proxies close idle ones. Milliseconds. */
const lastingMs = 5_000;
/** The platform sends a comment every 15 seconds, so a silent stream is broken. Milliseconds. */
const silenceMs = 45_000;
/** The status of a message's stream that has nothing after the requested position. */
const over = 204;

/**
 * Returns every event once, in order, with previews between them. Ends with the message, or when the session is
 * deleted.
 */
export async function* followEvents(transport: Transport, call: StreamCall): AsyncGenerator<StreamItem> {
  const { signal, onConnection } = call.options;
  const following = createFollowing(call);
  let wasOpen = false;
  for (let failures = 0; ;) {
    let openedAt = Infinity;
    let askedMs = 0;
    try {
      const response = await transport.open(following.nextRequest());
      if (response.status === over) return;
      wasOpen = true;
      openedAt = performance.now();
      onConnection?.(true);
      for await (const event of eventsOf(response)) {
        failures = 0;
        if (!following.isNew(event)) continue;
        yield event;
        if (following.isLast(event)) return;
      }
      // The platform ends its streams when it shuts down; another process continues them.
      failures = failuresAfter(openedAt, failures);
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      // It existed before, so it has been deleted.
      if (wasOpen && error instanceof ApiError && error.code === "not_found") return;
      if (!mayPass(error)) throw error;
      askedMs = retryAfterMs(error);
      failures = failuresAfter(openedAt, failures);
      if (failures > resumeAttempts) throw new ConnectionError("the stream broke too many times", { cause: error });
    }
    onConnection?.(false);
    if (failures > resumeAttempts) throw new ConnectionError("the stream ends again and again");
    await pause(Math.max(askedMs, backoffMs(failures)), signal);
  }
}

/** Returns the position in a stream, across all of its connections. */
function createFollowing({ request, path, query }: StreamCall) {
  const isSession = /^\/v1\/sessions\/[^/]+\/stream$/.test(path);
  let position = query["after_seq"] as number | undefined;
  let messageId: string | undefined;
  return {
    /**
     * Returns the request that continues after the last event. A sent message is not sent again: only its stream is
     * needed.
     */
    nextRequest(): HttpRequest {
      if (position === undefined || request.method === "GET" ? position === undefined : messageId === undefined) {
        return request;
      }
      const stream = request.method === "GET" ? path : `/v1/messages/${encodeURIComponent(messageId ?? "")}/stream`;
      const { timeoutMs, signal } = request;
      const url = `${stream}?after_seq=${position}`;
      return { method: "GET", url, timeoutMs, signal, canResend: true, isIdempotent: true };
    },
    isNew(event: StreamItem): boolean {
      if (!isLedgerEvent(event)) return true;
      messageId ??= event.message_id;
      // A resumed message stream starts at the message's acceptance at the earliest.
      if (position !== undefined && event.sequence_number <= position) return false;
      position = event.sequence_number;
      return true;
    },
    isLast(event: StreamItem): boolean {
      if (isSession || !isMessageEnd(event)) return false;
      // The stream continues with the message that this one became part of.
      return event.data.merged_into === undefined && event.data.delivered_in === undefined;
    },
  };
}

function failuresAfter(openedAt: number, failures: number): number {
  return performance.now() - openedAt > lastingMs ? 1 : failures + 1;
}

function mayPass(error: unknown): boolean {
  return !(error instanceof ApiError) || isPassing(error) || error.code === "limit_exceeded";
}

/** Without the stream classes of the parser's package, which cost several times what reading and parsing does. */
async function* eventsOf({ body }: Response): AsyncGenerator<StreamItem> {
  if (body === null) return;
  const decoder = new TextDecoder();
  let parsed: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => void parsed.push(data) });
  const pieces = piecesOf(body);
  try {
    for (;;) {
      const piece = await withinSilence(pieces.next());
      if (piece.done === true) return;
      parser.feed(decoder.decode(piece.value, { stream: true }));
      const texts = parsed;
      parsed = [];
      for (const text of texts) yield JSON.parse(text) as StreamItem;
    }
  } finally {
    void pieces.return(undefined);
  }
}

async function withinSilence<Value>(next: Promise<Value>): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new ConnectionError(`the stream was silent for ${silenceMs / 1_000} seconds`));
    }, silenceMs);
  });
  try {
    return await Promise.race([next, silence]);
  } finally {
    clearTimeout(timer);
  }
}
