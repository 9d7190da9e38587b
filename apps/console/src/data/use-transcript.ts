// A session's transcript as it grows: the stream is taken up again after every break, at the event it broke off.

import { useEffect, useState } from "react";
import { useAccount } from "./account.ts";
import { followThroughOutages } from "./follow.ts";
import { addEvent, emptyTranscript, type Transcript } from "./transcript.ts";

export interface LiveTranscript {
  readonly transcript: Transcript;
  /** The platform cannot be reached: what is shown is as it was before. The stream goes on by itself. */
  readonly isAway: boolean;
  readonly error: unknown;
}

/** Follows a session's stream from its beginning. Draws at most once per frame, however fast events come. */
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
    followThroughOutages((options) => client.streamSession(sessionId, options), {
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
