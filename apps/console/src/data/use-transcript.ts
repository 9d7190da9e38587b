// A session's transcript as it grows: the stream is taken up again after every break, at the event it broke off.

import { useEffect, useState } from "react";
import { useAccount } from "./account.ts";
import { addEvent, emptyTranscript, type Transcript } from "./transcript.ts";

export interface LiveTranscript {
  readonly transcript: Transcript;
  readonly error: unknown;
  readonly reconnect: () => void;
}

/** Follows a session's stream from its beginning. Draws at most once per frame, however fast events come. */
export function useTranscript(sessionId: string): LiveTranscript {
  const { client } = useAccount();
  const [transcript, setTranscript] = useState<Transcript>(emptyTranscript);
  const [error, setError] = useState<unknown>();
  const [round, setRound] = useState(0);
  useEffect(() => {
    const leaving = new AbortController();
    const { signal } = leaving;
    const follow = async (): Promise<void> => {
      let current = emptyTranscript;
      let frame = 0;
      const show = (): void => {
        frame = 0;
        if (!signal.aborted) setTranscript(current);
      };
      for await (const event of client.streamSession(sessionId, { signal, afterSequenceNumber: 0 })) {
        current = addEvent(current, event);
        if (frame === 0) frame = requestAnimationFrame(show);
      }
    };
    setError(undefined);
    follow().catch((caught: unknown) => {
      if (!signal.aborted) setError(caught);
    });
    return () => leaving.abort();
  }, [client, sessionId, round]);
  return { transcript, error, reconnect: () => setRound((count) => count + 1) };
}
