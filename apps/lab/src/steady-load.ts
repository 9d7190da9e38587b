// Sends messages at a steady rate, so that a gap in running them shows.

import { createClient } from "@dari/client";
import { post } from "./conversation.ts";

export interface SteadyLoad extends AsyncDisposable {
  readonly sent: number;
}

/** Interval of messages, in milliseconds. */
export const sendEveryMs = 200;

/** Sends one message to each session after the other, until it is disposed of or no session is left. */
export function startSteadyLoad(platform: {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly sessionIds: readonly string[];
}): SteadyLoad {
  const { apiUrl, apiKey, sessionIds } = platform;
  const client = createClient({ apiUrl, apiKey });
  const sending: Promise<unknown>[] = [];
  const timer = setInterval(() => {
    const session = sessionIds[sending.length];
    if (session !== undefined) sending.push(post({ client, apiUrl, apiKey }, session, "20"));
  }, sendEveryMs);
  return {
    get sent() {
      return sending.length;
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await Promise.all(sending);
    },
  };
}
