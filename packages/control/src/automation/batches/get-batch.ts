// Reads batches, their progress and their sessions.

import type { BatchSessionRecord, SessionBatchRecord, SessionBatchSummary } from "@dari/contract";
import { renderPage, type Actor, type Control, type PageOf } from "@dari/control/context";
import { sessionBatches, type BatchKey, type Page } from "@dari/db";
import { requireFound, type MessageState } from "@dari/domain";
import { renderBatch, renderBatchItem, renderBatchSummary } from "../views/batch.ts";

/** @throws AppError `not_found` */
export async function getBatch(control: Pick<Control, "db">, place: BatchKey): Promise<SessionBatchRecord> {
  const row = requireFound(await sessionBatches.findBatch(control.db, place), "session batch");
  return renderBatch(row, await sessionBatches.findBatchProgress(control.db, place));
}

/** @throws AppError `invalid` for an unknown cursor. */
export async function listBatches(control: Control, actor: Actor, page: Page): Promise<PageOf<SessionBatchSummary>> {
  const { organizationId } = actor;
  const listed = await sessionBatches.listBatches(control.db, organizationId, page);
  const ids = listed?.rows.map(({ id }) => id) ?? [];
  const open = await sessionBatches.listOpenBatches(control.db, organizationId, ids);
  return renderPage(listed, (row) => renderBatchSummary(row, open.has(row.id)));
}

/** @throws AppError `not_found`; `invalid` for an unknown cursor. */
export async function listBatchSessions(
  control: Control,
  place: BatchKey,
  page: Page & { readonly state?: MessageState | undefined },
): Promise<PageOf<BatchSessionRecord>> {
  requireFound(await sessionBatches.findBatch(control.db, place), "session batch");
  return renderPage(await sessionBatches.listBatchItems(control.db, place, page), renderBatchItem);
}
