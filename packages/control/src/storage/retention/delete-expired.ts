// Deletes what has expired: sessions by their organization's retention, recordings, everything of deleted
// organizations, and unstored sessions (`store: false`) that their API process has left.

import { handleSessionEnding } from "@dari/control/turns";
import { files, objects, retention, sessions } from "@dari/db";
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
  readonly recordings: number;
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
  const deleteSession = async (one: retention.OwnedSession): Promise<void> => {
    const ending = await sessions.softDeleteSessionIfIdle(db, { ...one, cancel: true });
    if (ending.outcome !== "done") return;
    handleSessionEnding(context, one.sessionId, ending);
    deleted++;
  };
  for (const one of await retention.listSessionsOfDeleted(db, perPass)) await deleteSession(one);
  const after = await objects.findCursor(db, cursorName);
  const pass = await retention.expireIdleSessions(db, { after, graceDays, limit: perPass });
  await objects.setCursor(db, cursorName, pass.next);
  const recordings = await retention.expireRecordings(db, perPass);
  const organizations = await emptyDeletedOrganizations(context, afterMs, perPass);
  for (const { fileIds, ...one } of await retention.listUnstored(db, perPass)) {
    try {
      // The session is last: if the process dies before, the next pass finds the session, and by it the files.
      for (const fileId of fileIds) await files.softDeleteFileIfLive(db, one.organizationId, fileId);
      await deleteSession(one);
    } catch (error) {
      // The other sessions are deleted in this pass, and this one is tried again in the next.
      const { organizationId: org, sessionId: session } = one;
      context.log.error({ err: error, org, session }, "session.delete_failed");
    }
  }
  return { expired: pass.expired, deleted: deleted + pass.deleted, recordings, organizations };
}
