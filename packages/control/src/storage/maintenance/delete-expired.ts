// Deletes what has expired: sessions by their organization's retention, and everything of deleted organizations.

import { handleSessionEnding } from "@dari/control/turns";
import { objects, retention, sessions } from "@dari/db";
import type { Notifier } from "@dari/domain";
import { emptyDeletedOrganizations } from "./empty-organizations.ts";
import type { StorageContext } from "./storage-context.ts";

export interface ExpirySettings {
  /** From the expiry of a session, which can still be read, to its deletion. */
  readonly graceDays: number;
  /** From an organization's deletion to that of its data, in milliseconds. */
  readonly afterMs: number;
  readonly perPass: number;
}

export const expiryDefaults: ExpirySettings = { graceDays: 7, afterMs: 3_600_000, perPass: 500 };

export interface ExpiryCounts {
  readonly expired: number;
  readonly deleted: number;
  readonly organizations: number;
}

const cursorName = "retention";

/** Runs one bounded pass. What it deletes is purged later. */
export async function deleteExpired(
  context: StorageContext & { readonly notifier: Notifier },
  { graceDays, afterMs, perPass }: ExpirySettings = expiryDefaults,
): Promise<ExpiryCounts> {
  const { db } = context;
  let deleted = 0;
  for (const one of await retention.listSessionsOfDeleted(db, perPass)) {
    const ending = await sessions.softDeleteSessionIfIdle(db, { ...one, cancel: true });
    if (ending.outcome !== "done") continue;
    handleSessionEnding(context, one.sessionId, ending);
    deleted++;
  }
  const after = await objects.findCursor(db, cursorName);
  const pass = await retention.expireIdleSessions(db, { after, graceDays, limit: perPass });
  await objects.setCursor(db, cursorName, pass.next);
  const organizations = await emptyDeletedOrganizations(context, afterMs, perPass);
  return { expired: pass.expired, deleted: deleted + pass.deleted, organizations };
}
