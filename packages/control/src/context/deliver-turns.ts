// Delivers dispatched turns to workers: by the queue, or by a notification to workers that pull.

import type { Database } from "@dari/db";
import type { DispatchedTurn, Log, Notifier, TurnDelivery } from "@dari/domain";

export interface DeliveryContext {
  readonly db: Database;
  readonly delivery: TurnDelivery;
  readonly notifier: Notifier;
  readonly log: Log;
}

/**
 * Adds turn jobs, or notifies workers that pull. Best effort: if this fails, the dispatch expires and the reaper makes
 * the session ready again.
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
  // The turns stay dispatched, so a worker that pulls can claim them at once.
  for (const turn of turns) context.notifier.notify("dispatched", turn.sessionId);
}
