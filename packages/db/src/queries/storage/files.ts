// Uploaded files. A deleted file's row stays, because messages refer to it; its bytes are swept later.

import { sql, type Selection } from "kysely";
import type { Database } from "../../database.ts";
import type { DB } from "../../generated/schema.ts";
import { listNewestFirst, type ListPage, type Page } from "../context/page.ts";
import { organizationWithinQuota } from "../tenants/quotas.ts";

const columns = [
  "id",
  "filename",
  "content_type as contentType",
  "size_bytes as sizeBytes",
  "sha256",
  "object_key as objectKey",
  "created_at as createdAt",
] as const;

export type FileRow = Readonly<Selection<DB, "files", (typeof columns)[number]>>;

type NewFile = Omit<FileRow, "createdAt"> & {
  readonly organizationId: string;
  /** The session whose token uploaded it. `markUnstored` sets it for files that were sent in an unstored message. */
  readonly sessionId?: string | undefined;
};

export async function insertFile(db: Database, file: NewFile): Promise<FileRow> {
  return insertion(db, file).returning(columns).executeTakeFirstOrThrow();
}

/** Returns undefined if a file with this id exists or existed. The primary key decides between concurrent calls. */
export async function insertFileIfNew(db: Database, file: NewFile): Promise<FileRow | undefined> {
  return insertion(db, file)
    .onConflict((conflict) => conflict.column("id").doNothing())
    .returning(columns)
    .executeTakeFirst();
}

function insertion(db: Database, file: NewFile) {
  return db.kysely.insertInto("files").values({
    id: file.id,
    organization_id: organizationWithinQuota(
      organizationWithinQuota(file.organizationId, "storage_bytes", file.sizeBytes),
      "files",
      1,
    ),
    filename: file.filename,
    content_type: file.contentType,
    size_bytes: file.sizeBytes,
    sha256: file.sha256,
    object_key: file.objectKey,
    session_id: file.sessionId ?? null,
  });
}

/** Finds a file by primary key. Does not find deleted files. */
export async function findFile(db: Database, organizationId: string, fileId: string): Promise<FileRow | undefined> {
  return db.kysely
    .selectFrom("files")
    .where("id", "=", fileId)
    .where("organization_id", "=", organizationId)
    .where("deleted_at", "is", null)
    .select(columns)
    .executeTakeFirst();
}

/** Lists files, newest first (partial index files_by_organization). */
export function listFiles(db: Database, organizationId: string, page: Page): Promise<ListPage<FileRow> | undefined> {
  const query = db.kysely
    .selectFrom("files")
    .where("organization_id", "=", organizationId)
    .where("deleted_at", "is", null)
    .select(columns);
  return listNewestFirst(db, { table: "files", organizationId, page }, query);
}

/**
 * Hides a file. Returns false if it is not there. FOR UPDATE, because accepting a message holds KEY SHARE on its files,
 * which conflicts with nothing weaker.
 */
export async function softDeleteFileIfLive(db: Database, organizationId: string, fileId: string): Promise<boolean> {
  const result = await db.kysely
    .updateTable("files")
    .set({ deleted_at: sql<Date>`clock_timestamp()` })
    .where("id", "=", (eb) =>
      eb
        .selectFrom("files as f")
        .where("f.id", "=", fileId)
        .where("f.organization_id", "=", organizationId)
        .where("f.deleted_at", "is", null)
        .select("f.id")
        .forUpdate(),
    )
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}
