// A stream that is followed through outages of any length, and whether it is connected at the moment.

import type { StreamedEvent, StreamOptions } from "@dari/client";
import { isPassing } from "./load.ts";

/** After the client has given up; it has tried for about half a minute by then. Milliseconds. */
const againAfterMs = 5_000;
/** A connection that is back within this time was not away, for a person. Milliseconds. */
const noticeableMs = 1_000;

interface Following {
  readonly signal: AbortSignal;
  /** Where to go on: the number of the last event that was seen. */
  readonly position: () => number;
  readonly onEvent: (event: StreamedEvent) => void;
  /** Called when the connection has been away for a while, and when it is back. */
  readonly onAway: (isAway: boolean) => void;
}

/** Resolves at the stream's end, or when the signal aborts. Rejects with a refusal, which no waiting changes. */
export async function followThroughOutages(
  open: (options: StreamOptions) => AsyncIterable<StreamedEvent>,
  { signal, position, onEvent, onAway }: Following,
): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const onConnection = (isConnected: boolean): void => {
    if (signal.aborted) return;
    if (isConnected) {
      clearTimeout(timer);
      timer = undefined;
      onAway(false);
    } else timer ??= setTimeout(() => signal.aborted || onAway(true), noticeableMs);
  };
  while (!signal.aborted) {
    try {
      for await (const event of open({ signal, afterSequenceNumber: position(), onConnection })) onEvent(event);
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (!isPassing(error)) throw error;
      onConnection(false);
      await new Promise((resolve) => setTimeout(resolve, againAfterMs));
    }
  }
}
