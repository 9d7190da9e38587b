// Lists the changes in an organization, newest first.

import type { AuditAction, AuditEntry } from "@dari/contract";
import { renderPage, type Control, type PageOf } from "@dari/control/context";
import { auditEntries, type AuditEntryRow, type Page } from "@dari/db";

/** `organizationId`: one that the caller may read. @throws AppError `invalid` for a cursor of another list. */
export async function listAuditLog(control: Control, organizationId: string, page: Page): Promise<PageOf<AuditEntry>> {
  return renderPage(await auditEntries.listAuditEntries(control.db, organizationId, page), renderEntry);
}

function renderEntry(row: AuditEntryRow): AuditEntry {
  return {
    id: row.id,
    action: row.action as AuditAction,
    actor_key_id: row.actorKeyId,
    actor_member_id: row.actorMemberId,
    target: row.target,
    details: row.details as Record<string, unknown>,
    request_id: row.requestId,
    created_at: row.createdAt.toISOString(),
  };
}
