// Brings dispatched turns to workers, by the queue or by direct pull.

import type { Database } from "@dari/db";
import type { DispatchedTurn, Log, Notifier, TurnDelivery } from "@dari/domain";

export interface DeliveryContext {
  readonly db: Database;
  readonly delivery: TurnDelivery;
  readonly notifier: Notifier;
  readonly log: Log;
}

/**
 * Adds turn jobs, or says "look" to workers that pull. Best effort: if the process dies in here, the dispatch expires
 * and the reaper gives the session back to `ready`.
 */
export async function deliverTurns(context: DeliveryContext, turns: readonly DispatchedTurn[]): Promise<void> {
  if (turns.length === 0) return;
  context.log.debug({ turns: turns.length }, "turns.dispatched");
  if (context.delivery.available) {
    try {
      await context.delivery.deliver(turns);
      return;
    } catch (error) {
      context.log.warn({ err: error, turns: turns.length }, "delivery.failed");
    }
  }
  // They stay dispatched, so a worker that pulls can claim them at once.
  for (const turn of turns) context.notifier.notify("dispatched", turn.sessionId);
}
