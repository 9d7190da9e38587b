// What a call of the queue board needs before the board itself is loaded.

import { AsyncLocalStorage } from "node:async_hooks";
import type { TurnQueue } from "@dari/queue";

export type BoardQueue = Pick<TurnQueue, "available" | "board" | "counts">;

/** The organization of the operator who looks. Only its messages can be opened in the console. */
export const viewerOrganization = new AsyncLocalStorage<string>();

export const waitsForSlotMessage = "this turn waits for a slot; the dispatcher starts it when one is free";

export const queueSilentMessage = "the queue does not answer; check Redis";

/** Time limit for all Redis and PostgreSQL calls of one board call, in milliseconds. */
const boardMs = 5_000;

/** Rejects if `ask` has not ended in time. It is not cancelled and may still take effect. */
export async function withBoardTimeout<T>(ask: () => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(queueSilentMessage)), boardMs);
  try {
    return await Promise.race([ask(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
