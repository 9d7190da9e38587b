// Clients that watch a session all the time, and what they have received.

import { isLedgerEvent, type Client } from "@dari/client";

export interface Listener {
  readonly sessionId: string;
  /** Numbers of the received events, in order. */
  readonly numbers: readonly number[];
  /** For each event: when it was stored, and when it arrived. In milliseconds since 1970. */
  readonly times: readonly EventTimes[];
  /** Why it stopped; undefined while it works. */
  readonly problem: string | undefined;
  readonly ended: Promise<void>;
}

export interface EventTimes {
  readonly writtenAt: number;
  readonly heardAt: number;
}

/** Listens until the signal aborts. */
export function listen(client: Client, sessionId: string, signal: AbortSignal): Listener {
  const numbers: number[] = [];
  const times: EventTimes[] = [];
  let problem: string | undefined;
  const ended = (async (): Promise<void> => {
    try {
      for await (const event of client.streamSession(sessionId, {}, { signal })) {
        if (!isLedgerEvent(event)) continue;
        numbers.push(event.sequence_number);
        times.push({ writtenAt: Date.parse(event.created_at), heardAt: Date.now() });
      }
    } catch (error) {
      if (!signal.aborted) problem = String(error);
    }
  })();
  return {
    sessionId,
    numbers,
    times,
    get problem() {
      return problem;
    },
    ended,
  };
}

/**
 * Returns what is wrong with the events that a listener got, for a session whose last event is `last`; empty if nothing
 * is.
 */
export function judgeListener(
  { sessionId, numbers, problem }: Pick<Listener, "sessionId" | "numbers" | "problem">,
  last: number,
): string[] {
  if (problem !== undefined) return [`the stream of ${sessionId} broke off: ${problem}`];
  const wrong = numbers.find((number, i) => number !== i + 1);
  if (wrong !== undefined) return [`the stream of ${sessionId} has ${wrong} out of its place`];
  if (numbers.at(-1) === last) return [];
  return [`the stream of ${sessionId} ended at ${numbers.at(-1) ?? "nothing"}, its ledger at ${last}`];
}
