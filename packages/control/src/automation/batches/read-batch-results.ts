// Reads the results of a batch as JSON lines, in pieces, so that a thousand long answers need little memory.

import type { BatchResult } from "@dari/contract";
import type { Control } from "@dari/control/context";
import { sessionBatches, type BatchKey } from "@dari/db";
import { requireFound } from "@dari/domain";
import { renderBatchResult } from "../views/batch.ts";

/** A read can return fewer: at most `limits.pageBytes`. */
const rowsPerRead = 20;

/** @throws AppError `not_found`, before the first line. */
export async function readBatchResults(control: Control, place: BatchKey): Promise<AsyncIterable<string>> {
  requireFound(await sessionBatches.findBatch(control.db, place), "session batch");
  return readLines(control, place);
}

async function* readLines(control: Control, place: BatchKey): AsyncGenerator<string> {
  let after = -1;
  for (;;) {
    const rows = await sessionBatches.listBatchResults(control.db, place, after, rowsPerRead);
    if (rows.length === 0) return;
    yield rows.map((row) => `${JSON.stringify(renderBatchResult(row) satisfies BatchResult)}\n`).join("");
    after = rows.at(-1)!.number;
  }
}
