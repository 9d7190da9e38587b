// Reads what an agent did in a turn before its answer.

import type { Actor, Control } from "@dari/control/context";
import { toolCalls, type PartEventRow } from "@dari/db";
import { limits } from "@dari/domain";

/** A row has up to 32 KiB. */
const rowsPerRead = 200;

/**
 * Returns the reasoning, the texts before tool calls, the calls and the ends of attempts of a message's turn, in order.
 * Events after the first `limits.pageBytes` are left out. `moreTypes`: further types of events to return.
 */
export async function readTurnActivity(
  control: Control,
  { organizationId }: Actor,
  { session_id: sessionId, id: messageId }: { readonly session_id: string; readonly id: string },
  moreTypes: readonly string[] = [],
): Promise<PartEventRow[]> {
  const of = { organizationId, sessionId, messageId };
  const types = [...toolCalls.activityEventTypes, ...moreTypes];
  const events: PartEventRow[] = [];
  let bytes = 0;
  for (let after = 0; ;) {
    const rows = await toolCalls.listPartEvents(control.db, of, after, rowsPerRead, types);
    for (const row of rows) {
      bytes += Buffer.byteLength(JSON.stringify(row.data));
      if (bytes > limits.pageBytes) return events;
      events.push(row);
    }
    if (rows.length < rowsPerRead) return events;
    after = rows.at(-1)!.sequenceNumber;
  }
}
