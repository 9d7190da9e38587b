// Streams the ledger as it grows, through broken connections.

import { isMessageEnd, type EventRecord, type PreviewEvent, type StreamedEvent } from "@dari/contract";
import { createParser } from "eventsource-parser";
import { ApiError, ConnectionError, isPassing } from "./errors.ts";
import { pause } from "./pause.ts";
import type { CallOptions, Transport } from "./transport.ts";

export { isMessageEnd, type PreviewEvent, type StreamedEvent };

/** True for stored events; false for previews. */
export function isLedgerEvent(event: StreamedEvent): event is EventRecord {
  return "sequence_number" in event;
}

export interface StreamOptions extends CallOptions {
  /** Only events after this number. */
  readonly afterSequenceNumber?: number;
  /** Called with true when the stream is connected, and with false when its connection is lost. */
  readonly onConnection?: (isConnected: boolean) => void;
}

/** How many times in a row a stream is resumed without an event in between. */
const resumeAttempts = 8;
const firstPauseMs = 250;
const longestPauseMs = 5_000;
/** The status of a message's stream that has nothing after the requested position. */
const over = 204;

export function streamCalls(transport: Transport) {
  return {
    /** A session's events, each once and in order, with previews between them; ends when the session is deleted. */
    streamSession: (sessionId: string, options: StreamOptions = {}): AsyncGenerator<StreamedEvent> =>
      follow((query) => transport.open("streamSession", { path: { session_id: sessionId }, query, options }), {
        ...options,
        isLast: () => false,
      }),

    /**
     * A message's events to its last one; of a merged message, to the last one of the message that it was merged into.
     */
    streamMessage: (messageId: string, options: StreamOptions = {}): AsyncGenerator<StreamedEvent> =>
      follow((query) => transport.open("streamMessage", { path: { message_id: messageId }, query, options }), {
        ...options,
        isLast: (event) => isMessageEnd(event) && event.data.merged_into === undefined,
      }),
  };
}

type Connect = (query: { readonly after_seq?: number }) => Promise<Response>;

async function* follow(
  connect: Connect,
  options: StreamOptions & { readonly isLast: (event: EventRecord) => boolean },
): AsyncGenerator<StreamedEvent> {
  let position = options.afterSequenceNumber;
  let wasOpen = false;
  for (let failures = 0; ;) {
    let openedAt = Infinity;
    let askedMs = 0;
    try {
      const response = await connect(position === undefined ? {} : { after_seq: position });
      if (response.status === over) return;
      wasOpen = true;
      openedAt = performance.now();
      options.onConnection?.(true);
      for await (const event of eventsOf(response)) {
        failures = 0;
        if (isLedgerEvent(event)) {
          // A resumed message stream starts at the message's acceptance at the earliest.
          if (position !== undefined && event.sequence_number <= position) continue;
          position = event.sequence_number;
        }
        yield event;
        if (isLedgerEvent(event) && options.isLast(event)) return;
      }
      // The platform ends its streams when it shuts down; another process continues them.
      failures = failuresAfter(openedAt, failures);
    } catch (error) {
      if (options.signal?.aborted === true) throw error;
      // It existed before, so it has been deleted.
      if (wasOpen && error instanceof ApiError && error.code === "not_found") return;
      if (!mayPass(error)) throw error;
      askedMs = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
      failures = failuresAfter(openedAt, failures);
      if (failures > resumeAttempts) throw new ConnectionError("the stream broke off", { cause: error });
    }
    options.onConnection?.(false);
    if (failures > resumeAttempts) throw new ConnectionError("the stream ends again and again");
    const backoffMs = Math.max(askedMs, firstPauseMs * 2 ** (failures - 1));
    await pause(Math.min(longestPauseMs, backoffMs), options.signal);
  }
}

/** A connection that lasted was good: proxies close idle ones. */
function failuresAfter(openedAt: number, failures: number): number {
  return performance.now() - openedAt > longestPauseMs ? 1 : failures + 1;
}

function mayPass(error: unknown): boolean {
  return !(error instanceof ApiError) || isPassing(error) || error.code === "limit_exceeded";
}

/** Without the stream classes of the parser's package, which cost several times what reading and parsing does. */
async function* eventsOf({ body }: Response): AsyncGenerator<StreamedEvent> {
  if (body === null) return;
  const decoder = new TextDecoder();
  let come: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => void come.push(data) });
  for await (const bytes of body) {
    parser.feed(decoder.decode(bytes, { stream: true }));
    const texts = come;
    come = [];
    for (const text of texts) yield JSON.parse(text) as StreamedEvent;
  }
}
