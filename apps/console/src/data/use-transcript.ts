// Follows a session's transcript. After a break, the stream resumes after the last event.

import { useEffect, useState } from "react";
import { useAccount } from "./account.ts";
import { followThroughOutages } from "./follow.ts";
import { addEvent, emptyTranscript, type Transcript } from "./transcript.ts";

export interface LiveTranscript {
  readonly transcript: Transcript;
  /** True while the platform cannot be reached. The page shows the last state, and the stream reconnects itself. */
  readonly isAway: boolean;
  readonly error: unknown;
}

/** Follows a session's stream from its beginning. Draws at most once per frame. */
export function useTranscript(sessionId: string): LiveTranscript {
  const { client } = useAccount();
  const [transcript, setTranscript] = useState<Transcript>(emptyTranscript);
  const [isAway, setIsAway] = useState(false);
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    const leaving = new AbortController();
    const { signal } = leaving;
    let current = emptyTranscript;
    let frame = 0;
    const show = (): void => {
      frame = 0;
      if (!signal.aborted) setTranscript(current);
    };
    setError(undefined);
    setIsAway(false);
    followThroughOutages((query, options) => client.streamSession(sessionId, query, options), {
      signal,
      position: () => current.lastSequenceNumber,
      onEvent(event) {
        current = addEvent(current, event);
        if (frame === 0) frame = requestAnimationFrame(show);
      },
      onAway: setIsAway,
    }).catch((caught: unknown) => {
      if (!signal.aborted) setError(caught);
    });
    return () => leaving.abort();
  }, [client, sessionId]);
  return { transcript, isAway, error };
}
