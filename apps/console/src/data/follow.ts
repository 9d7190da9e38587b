// Follows a stream through outages of any length, and reports whether it is connected.

import type { StreamOptions } from "@dari/client";
import type { StreamedEvent } from "@dari/contract";
import { isPassing } from "./load.ts";

/** Pause before the next try, after the client has tried for about half a minute. Milliseconds. */
const againAfterMs = 5_000;
/** An outage that is shorter than this is not shown. Milliseconds. */
const noticeableMs = 1_000;

interface Following {
  readonly signal: AbortSignal;
  /** Returns the number of the last seen event, after which the stream continues. */
  readonly position: () => number;
  readonly onEvent: (event: StreamedEvent) => void;
  /** Called when the connection was lost for a while, and when it is back. */
  readonly onAway: (isAway: boolean) => void;
}

/** Resolves at the stream's end, or when the signal aborts. Rejects if the platform refuses the stream. */
export async function followThroughOutages(
  open: (query: { after_seq: number }, options: StreamOptions) => AsyncIterable<StreamedEvent>,
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
      for await (const event of open({ after_seq: position() }, { signal, onConnection })) onEvent(event);
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (!isPassing(error)) throw error;
      onConnection(false);
      await new Promise((resolve) => setTimeout(resolve, againAfterMs));
    }
  }
}
