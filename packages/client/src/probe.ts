// Checks whether the platform answers.

import type { CallOptions } from "./call.ts";
import { operations } from "./generated/operations.ts";
import type { Transport } from "./transport.ts";

export interface Probe {
  /** The platform's release; undefined if it does not report one. */
  readonly release: string | undefined;
  /** The platform's clock, to the second; undefined if the reply does not contain it. */
  readonly serverTime: Date | undefined;
  readonly roundTripMs: number;
}

export function probeMethods(transport: Transport) {
  const { method, path: url } = operations.getAuthConfig;
  return {
    /** Returns whether the platform answers; needs no key. */
    async probe(options: CallOptions = {}): Promise<Probe> {
      const startedAt = performance.now();
      const request = { method, url, ...options, isKeyless: true, canResend: true, isIdempotent: true };
      return transport.send(request, async (response) => {
        const roundTripMs = performance.now() - startedAt;
        const date = response.headers.get("date");
        const { release } = (await response.json()) as { release?: string };
        return { release, serverTime: date === null ? undefined : new Date(date), roundTripMs };
      });
    },
  };
}
