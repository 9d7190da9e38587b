// Reads a message's turn from the ledger as OpenAI's items.

import type { MessageRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { getMessage, readTurnActivity } from "@dari/control/turns";
import type { ShownItem } from "./output-item.ts";
import { renderContent } from "./input.ts";
import { responseIdOf } from "./response.ts";
import { TurnOutput } from "./turn-output.ts";

export interface ReadOutput {
  /** The message whose turn answers: the message itself, or the one that took it over. */
  readonly turn: MessageRecord;
  readonly items: readonly ShownItem[];
}

/** Returns what the turn has shown so far. */
export async function readOutput(control: Control, actor: Actor, message: MessageRecord): Promise<ReadOutput> {
  const answeredBy = message.merged_into ?? message.delivered_in;
  const turn = answeredBy === undefined ? message : await getMessage(control, actor, answeredBy);
  const output = new TurnOutput(responseIdOf(message.id));
  for (const event of await readTurnActivity(control, actor, turn)) output.take(event);
  const isEnded = turn.completed_at !== null;
  if (isEnded) output.end(turn.status === "completed" ? turn.output : null, turn.session_id);
  return { turn, items: output.items };
}

/** Returns what was sent as one item. */
export function renderInputItem({ id, parts }: Pick<MessageRecord, "id" | "parts">): ShownItem {
  return { id, type: "message", role: "user", status: "completed", content: renderContent(parts) };
}
