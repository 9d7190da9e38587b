// A `Control` whose writes are one transaction, and whose notifications are sent after its commit.

import { withinTransaction, withTransaction } from "@dari/db";
import type { DispatchedTurn, WakeTopic } from "@dari/domain";
import type { Control } from "./control.ts";
import { deliverTurns } from "./deliver-turns.ts";

type Transacting = Pick<Control, "db" | "notifier" | "delivery" | "log">;

/**
 * Runs `work` in one transaction. Notifications and turns are sent after the commit, because a reader could not see the
 * rows before. Do not wait or store bytes in it.
 */
export async function inOneTransaction<T, Part extends Transacting = Control>(
  control: Part,
  work: (control: Part) => Promise<T>,
): Promise<T> {
  const wakes: [topic: WakeTopic, id: string][] = [];
  const turns: DispatchedTurn[] = [];
  const { notifier } = control;
  const result = await withTransaction(control.db, (tx) =>
    work({
      ...control,
      db: withinTransaction(control.db, tx),
      notifier: {
        notify: (topic, id) => void wakes.push([topic, id]),
        subscribe: (topic, id, listener) => notifier.subscribe(topic, id, listener),
        close: () => notifier.close(),
      },
      delivery: { available: true, deliver: async (more) => void turns.push(...more) },
    }),
  );
  for (const [topic, id] of wakes) notifier.notify(topic, id);
  await deliverTurns(control, turns);
  return result;
}
