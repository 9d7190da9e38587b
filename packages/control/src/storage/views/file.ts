// Renders uploaded files for clients.

import type { FileRecord } from "@dari/contract";
import type { FileRow } from "@dari/db";

export function renderFile(row: FileRow): FileRecord {
  return {
    id: row.id,
    filename: row.filename,
    size_bytes: row.sizeBytes,
    content_type: row.contentType,
    sha256: row.sha256,
    created_at: row.createdAt.toISOString(),
  };
}
