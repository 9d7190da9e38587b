// Reads a message's turn from the ledger as parts.

import type { MessageRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { readTurnActivity } from "@dari/control/turns";
import { shownEventTypes, TurnParts, type TurnPart } from "./turn-parts.ts";

/** Returns what an ended or waiting turn has shown. Of attempts that were repeated, an encoder drops what it can. */
export async function readTurnParts(control: Control, actor: Actor, turn: MessageRecord): Promise<TurnPart[]> {
  const parts = new TurnParts(turn.id);
  const shown: TurnPart[] = [];
  for (const event of await readTurnActivity(control, actor, turn, shownEventTypes)) shown.push(...parts.take(event));
  if (turn.completed_at !== null) shown.push(...parts.end(turn));
  else if (turn.status === "waiting_for_input") shown.push({ kind: "waiting" });
  return shown;
}
